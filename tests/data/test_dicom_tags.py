"""Values of DICOM tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dicom_images import write_dicom

from edgekd.data.dicom_tags import check_tag, tags_of
from edgekd.errors import InputError

CODE = "AdmittingDiagnosesCodeSequence.CodeMeaning"


def test_values(tmp_path: Path) -> None:
    file = write_dicom(
        tmp_path / "a.dcm", PatientAge="045Y", StudyDescription=" naevus ", diagnosis="melanoma",
        ImageType=["ORIGINAL", "PRIMARY"],
    )  # fmt: skip
    tags = ("PatientAge", "0008,1030", CODE, "ImageType", "PatientSex")
    assert tags_of(file, tags) == {
        "PatientAge": "45", "0008,1030": "naevus", CODE: "melanoma",
        "ImageType": "ORIGINAL;PRIMARY", "PatientSex": "",
    }  # fmt: skip


@pytest.mark.parametrize(("age", "years"), [("018M", "1.5"), ("000Y", "0"), ("052W", "0.9966")])
def test_ages_are_years(tmp_path: Path, age: str, years: str) -> None:
    values = tags_of(write_dicom(tmp_path / "a.dcm", PatientAge=age), ["PatientAge"])
    assert values == {"PatientAge": years}


def test_a_file_without_an_image(tmp_path: Path) -> None:
    assert tags_of(write_dicom(tmp_path / "a.dcm", pixels=False), ["PatientID"]) is None


def test_a_file_that_is_no_dicom_file_is_named_without_its_content(tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(b"Mrs Example")
    with pytest.raises(InputError) as caught:
        tags_of(file, ["PatientID"])
    assert caught.value.message == f"{file} cannot be read as a DICOM file"
    assert caught.value.hint


@pytest.mark.parametrize("tag", ["Patientid", "0010", "", f"{CODE}s"])
def test_a_tag_that_does_not_exist(tag: str) -> None:
    with pytest.raises(InputError, match="DICOM has no tag"):
        check_tag(tag)
    tags: list[Any] = ["PatientID", "0010,0020", CODE]
    for right in tags:
        check_tag(right)
