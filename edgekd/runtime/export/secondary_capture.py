"""A picture about a prediction, such as a map of what the network looked at, as DICOM.

Source: DICOM PS3.3, A.8.1 (Secondary Capture Image).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.export.equipment import (
    UTF8,
    equipment_of,
    mark_device,
    require_highdicom,
)
from edgekd.runtime.export.identity import DeviceIdentity
from edgekd.runtime.export.photo import Photo, context_of, guarded, new_uid
from edgekd.runtime.images.sources import checked_array

if TYPE_CHECKING:
    from highdicom.sc import SCImage
    from pydicom.dataset import Dataset

__all__ = ["to_secondary_capture"]

_SERIES_NUMBER = 9002
_DESCRIPTION = "Picture about a classification by software, not for diagnosis"


def to_secondary_capture(
    picture: NDArray[np.uint8],
    device: DeviceIdentity,
    photo: Photo | None = None,
    *,
    study: Dataset | None = None,
) -> SCImage:
    """The picture as a secondary capture of the photo's patient and study.

    Args:
        picture: RGB uint8 [H, W, 3].
        device: What made it.
        photo: The photo that it is about; it is referenced where it is DICOM.
        study: Patient and study for a photo that is no DICOM file; see `to_dicom_sr`.

    Raises:
        ImageError: The picture is no RGB image, or the photo's header has values that DICOM does
            not allow there.
        MissingDependencyError: highdicom is not installed.
    """
    require_highdicom()
    pixels = checked_array(picture)
    photo = photo or Photo("")
    with guarded(photo):
        image = _image(pixels, device, context_of(photo, study))
        for keyword in ("PatientOrientation", "Laterality"):  # of a picture they are not known
            setattr(image, keyword, None)
        image.BurnedInAnnotation = "NO"
        image.DerivationDescription = _DESCRIPTION
        if photo.header is not None:
            image.copy_patient_and_study_information(photo.header)
            image.SpecificCharacterSet = UTF8
            image.SourceImageSequence = [_reference(photo.header)]
        mark_device(image, device)
    return image


def _image(pixels: NDArray[np.uint8], device: DeviceIdentity, context: Dataset) -> SCImage:
    from highdicom.sc import SCImage

    return SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),  # demanded here, and taken out again
        study_instance_uid=context.StudyInstanceUID,
        series_instance_uid=new_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        patient_id=context.PatientID,
        patient_name=context.PatientName,
        patient_birth_date=context.PatientBirthDate,
        patient_sex=context.PatientSex,
        accession_number=context.AccessionNumber,
        study_id=context.StudyID,
        study_date=context.StudyDate,
        study_time=context.StudyTime,
        series_description=_DESCRIPTION,
        **equipment_of(device),
    )


def _reference(header: Dataset) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item
