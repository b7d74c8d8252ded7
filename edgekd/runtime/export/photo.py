"""The photo that a report is about: its hash and, of DICOM, whose and of which study it is.

The patient's data go from the photo into the report and nowhere else: no message quotes them.
"""

from __future__ import annotations

import hashlib
import io
import uuid
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.errors import EdgekdError, ImageError, InputError, MissingDependencyError
from edgekd.runtime.images.sources import read_source
from edgekd.runtime.telemetry import without_requests

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Photo", "context_of", "guarded", "new_study", "new_uid"]

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_PATIENT_AND_STUDY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
_LONGEST_ID = 64
"""Letters of a patient's number: DICOM's LO."""


@dataclass(frozen=True)
class Photo:
    """A photo without its pixels.

    Attributes:
        sha256: Hash of the file.
        header: The DICOM data set without pixels; None where the photo is no DICOM file.
        patient_id: Number of the patient; empty where nobody gave one.
    """

    sha256: str
    header: Dataset | None = None
    patient_id: str = ""

    @classmethod
    def read(cls, source: str | Path | bytes, *, patient_id: str = "") -> Photo:
        """Read a photo.

        Args:
            source: Its path, or its bytes.
            patient_id: The patient's number, for a photo that is no DICOM file; of a DICOM file
                it is compared.

        Raises:
            ImageError: It cannot be read, or is DICOM that a report cannot refer to.
            InputError: It is of another patient, or the number cannot be one.
            MissingDependencyError: It is DICOM and pydicom is not installed.
        """
        if len(patient_id) > _LONGEST_ID or "\\" in patient_id or not patient_id.isprintable():
            message = f"a patient's number has at most {_LONGEST_ID} letters, and no backslash"
            raise InputError(message, "give the number alone")
        data, name = read_source(source)
        sha256 = hashlib.sha256(data).hexdigest()
        if data[128:132] != b"DICM":
            return cls(sha256, None, patient_id)
        header = _header(data, name)
        inside = str(header.PatientID or "")
        if patient_id and inside != patient_id:
            message = f"{name} is not a photo of the patient that was given"
            raise InputError(message, "give the photo's own patient, or leave the patient out")
        return cls(sha256, header, inside)

    @property
    def study_uid(self) -> str | None:
        """UID of the study; None where the photo is no DICOM file."""
        return None if self.header is None else str(self.header.StudyInstanceUID)


def new_uid() -> str:
    """A DICOM UID that nothing else has (PS3.5, B.2)."""
    return f"2.25.{uuid.uuid4().int}"


@contextmanager
def quoting_nothing(name: str) -> Iterator[None]:
    """Replace errors about a header's values, and drop warnings: both may quote the patient's data.

    Raises:
        ImageError: A value of the header is not what DICOM allows there.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except EdgekdError:
        raise
    except Exception:  # of whatever type: libraries convert values in many ways
        message = f"{name} has a header that no report can be made of"
        hint = "export it from the archive again; `dciodvfy` names what is wrong in it"
        raise ImageError(message, hint) from None


def guarded(photo: Photo) -> AbstractContextManager[None]:
    """A block that makes a DICOM object about the photo, whose header may have wrong values."""
    return nullcontext() if photo.header is None else quoting_nothing("the photo")


def new_study(photo: Photo) -> Dataset | None:
    """Patient and study of a photo that is no DICOM file: a study of its own, made now.

    None where the photo is DICOM and has both.
    """
    return _made_study(photo) if photo.header is None else None


def context_of(photo: Photo, study: Dataset | None) -> Dataset:
    """Patient and study of an object about the photo: the photo's, else those that are given."""
    if photo.header is not None:
        return photo.header
    return _made_study(photo) if study is None else study


def _made_study(photo: Photo) -> Dataset:
    from pydicom.dataset import Dataset
    from pydicom.uid import SecondaryCaptureImageStorage

    now = datetime.now()
    study = Dataset()
    study.SOPClassUID, study.SOPInstanceUID = SecondaryCaptureImageStorage, new_uid()
    study.StudyInstanceUID, study.SeriesInstanceUID = new_uid(), new_uid()
    for keyword in _PATIENT_AND_STUDY:
        setattr(study, keyword, "")
    study.PatientID = photo.patient_id
    study.StudyDate, study.StudyTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    return study


def _header(data: bytes, name: str) -> Dataset:
    try:
        with without_requests():
            from pydicom import dcmread
    except ImportError:
        raise MissingDependencyError("pydicom", "clinical", "read DICOM files") from None
    with quoting_nothing(name):
        header = dcmread(io.BytesIO(data), stop_before_pixels=True)
        header.decode()
    if not all(str(header.get(keyword) or "") for keyword in _UIDS):
        message = f"{name} is a DICOM file that does not say of which study and series it is"
        raise ImageError(message, "export it from the archive again")
    for keyword in _PATIENT_AND_STUDY:
        if keyword not in header:
            setattr(header, keyword, "")  # DICOM demands them, and allows them to be empty
    header.setdefault("Modality", "OT")  # "other"
    return header
