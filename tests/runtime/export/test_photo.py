from __future__ import annotations

import hashlib
import warnings
from typing import Any

import pytest
from archives import STUDY, archived
from dicoms import PATIENT, PHOTO, dicom
from jpegs import encode

from edgekd.errors import ImageError, InputError
from edgekd.runtime.export import Photo, new_study
from edgekd.runtime.export.photo import guarded


def test_a_file_has_its_hash_alone() -> None:
    data = encode(PHOTO)
    photo = Photo.read(data, patient_id="4711")
    assert photo == Photo(hashlib.sha256(data).hexdigest(), None, "4711")
    study = new_study(photo)
    assert study is not None
    assert (study.PatientID, str(study.PatientName)) == ("4711", "")
    assert new_study(photo).StudyInstanceUID != study.StudyInstanceUID  # type: ignore[union-attr]


def test_a_photo_of_an_archive_has_patient_and_study() -> None:
    photo = Photo.read(archived(), patient_id="4711")
    assert (photo.study_uid, photo.patient_id) == (STUDY, "4711")
    assert photo.header is not None
    assert "PixelData" not in photo.header
    assert new_study(photo) is None


def test_another_patient_is_refused_without_a_word_of_the_first() -> None:
    with pytest.raises(InputError, match="not a photo of the patient") as caught:
        Photo.read(archived(), patient_id="4712")
    assert "4711" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize("number", ["4" * 65, "4\\7", "4\n7"])
def test_a_number_that_is_none(number: str) -> None:
    with pytest.raises(InputError, match="at most 64 letters"):
        Photo.read(encode(PHOTO), patient_id=number)


def test_a_photo_of_no_study_is_refused() -> None:
    with pytest.raises(ImageError, match="of which study and series"):
        Photo.read(dicom(PHOTO))


def fail(message: str, kind: type[Exception]) -> Any:
    warnings.warn(message, stacklevel=1)
    raise kind(message)


@pytest.mark.parametrize("kind", [ValueError, AttributeError, OverflowError])
def test_errors_about_a_header_quote_no_patient(kind: type[Exception]) -> None:
    photo = Photo.read(archived())
    with pytest.raises(ImageError, match="no report can be") as caught, guarded(photo):
        fail(PATIENT, kind)
    assert PATIENT not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.__suppress_context__


def test_an_error_of_edgekd_is_none_of_the_header() -> None:
    with pytest.raises(ZeroDivisionError), guarded(Photo("")):
        raise ZeroDivisionError
