"""A folder of DICOM files with labels from tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dicom_images import write_dicom

from edgekd.data import decode_images, load_dataset, split_dataset, write_split
from edgekd.errors import InputError
from edgekd.recipe import SplitSection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images of three patients, a report, an index and clutter."""
    root = tmp_path / "archive"
    sexes = ("F", "F", "M", "")
    names = ("s1/IM1", "s1/IM2.dcm", "s2/IM1.DCM", "IM9.dicom")
    labels = ("Melanoma", "naevus", "Naevus", "test image")
    for number, (name, label) in enumerate(zip(names, labels, strict=True)):
        write_dicom(
            root / name, level=40 * number, diagnosis=label, PatientID=f"P{number // 2}",
            PatientSex=sexes[number], PatientAge=f"0{number + 3}0Y", SeriesDescription="back",
        )  # fmt: skip
    write_dicom(root / "report.dcm", pixels=False, PatientID="P0")
    (root / "DICOMDIR").write_bytes(b"index")
    (root / "notes.txt").write_bytes(b"notes")
    (root / ".DS_Store").write_bytes(b"clutter")
    return root


def section(folder: Path, **keys: Any) -> dict[str, Any]:
    label = "AdmittingDiagnosesCodeSequence.CodeMeaning"
    names = {"melanoma": "mel", "naevus": "nv"}
    return {"source": "dicom", "root": str(folder), "label_tag": label, "label_map": names, **keys}


def test_images_labels_groups_and_attributes(folder: Path) -> None:
    dataset = load_dataset(section(folder, drop=["Test image"], classes=["nv", "mel"]))
    assert dataset.name == "archive"
    assert [(sample.image, sample.label) for sample in dataset.samples] == [
        ("s1/IM1", "mel"), ("s1/IM2.dcm", "nv"), ("s2/IM1.DCM", "nv"),
    ]  # fmt: skip
    first, second, third = (sample.group for sample in dataset.samples)
    assert first == second != third
    assert dataset.samples[0].attributes == {
        "PatientAge": "30", "PatientSex": "F", "BodyPartExamined": "unknown",
    }  # fmt: skip
    assert "1 DICOM files without an image left out" in dataset.notes
    assert any("1 with 'test image'" in note for note in dataset.notes)
    assert decode_images(dataset.paths(), 16)[:, 0, 0, 0].tolist() == [0, 40, 80]


def test_who_the_patients_are_is_not_written(folder: Path) -> None:
    text = write_split(split_dataset(load_dataset(section(folder)), SplitSection()))
    assert "P0" not in text
    assert text.count("group ") == 4


def test_further_tags_are_columns(folder: Path) -> None:
    keys = section(folder, tags=["SeriesDescription"], attributes=["SeriesDescription"])
    assert load_dataset(keys).samples[0].attributes == {"SeriesDescription": "back"}


def test_an_image_without_a_label_is_named(folder: Path) -> None:
    write_dicom(folder / "s3" / "IM1", PatientID="P7")
    with pytest.raises(InputError, match=r"s3/IM1 in .* has no value of the tag"):
        load_dataset(section(folder))
    assert len(load_dataset(section(folder, drop=[""])).samples) == 4


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"label_tag": "Diagnoses"}, "DICOM has no tag 'Diagnoses'"), ({"root": "/no"}, "not exist")],
)
def test_sections_that_are_refused(folder: Path, keys: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_dataset(section(folder) | keys)


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no images"):
        load_dataset(section(tmp_path))
