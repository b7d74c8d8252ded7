from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from archives import STUDY, archived, faults_of
from dicoms import PHOTO
from pydicom import dcmread

from edgekd.errors import ImageError
from edgekd.runtime.export import DeviceIdentity, Photo, new_study, to_secondary_capture
from edgekd.runtime.images.dicom import Pixels, read_dicom

pytest.importorskip("highdicom", reason="needs pip install 'edgekd[clinical]'")


def test_the_picture_is_read_back(device: DeviceIdentity) -> None:
    photo = Photo.read(archived(PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100"))
    assert photo.header is not None
    stream = io.BytesIO()
    to_secondary_capture(PHOTO, device, photo).save_as(stream, enforce_file_format=True)
    read = dcmread(io.BytesIO(stream.getvalue()))
    assert read.SOPClassUID.name == "Secondary Capture Image Storage"
    assert (read.StudyInstanceUID, str(read.PatientName)) == (STUDY, "Müller^Jürgen")
    assert read.SourceImageSequence[0].ReferencedSOPInstanceUID == photo.header.SOPInstanceUID
    assert read["PatientOrientation"].is_empty  # of a picture it is not known
    pixels = read_dicom(stream.getvalue())
    assert isinstance(pixels, Pixels)
    np.testing.assert_array_equal(pixels.bgr()[..., ::-1], PHOTO)


def test_it_is_what_dicom_defines(device: DeviceIdentity, tmp_path: Path) -> None:
    for photo in (Photo.read(archived()), Photo.read(b"photo", patient_id="4711")):
        stream = io.BytesIO()
        to_secondary_capture(PHOTO, device, photo).save_as(stream, enforce_file_format=True)
        assert faults_of(stream.getvalue(), tmp_path) == []


def test_of_a_file_it_is_of_the_study_that_is_given(device: DeviceIdentity) -> None:
    photo = Photo.read(b"photo", patient_id="4711")
    study = new_study(photo)
    assert study is not None
    capture = to_secondary_capture(PHOTO, device, photo, study=study)
    assert (capture.StudyInstanceUID, capture.PatientID) == (study.StudyInstanceUID, "4711")
    assert "SourceImageSequence" not in capture


def test_no_picture_of_another_kind(device: DeviceIdentity) -> None:
    with pytest.raises(ImageError, match="float64"):
        to_secondary_capture(np.zeros((4, 4, 3)), device)  # type: ignore[arg-type]
