"""What the folder of a shipped student says, and what it leaves out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from edgekd.bundle import Bundle
from edgekd.data.image_hashes import image_hashes
from edgekd.lower.shipped.contents import CHECKPOINT
from edgekd.lower.shipped.student import read_student
from edgekd.runtime import Classifier
from edgekd.seals import SEAL


@pytest.fixture
def folder(students: Path) -> Path:
    return students / "tiny-student"


def test_a_certificate_is_of_the_model_files_alone(folder: Path, students: Path) -> None:
    student = read_student(folder)
    certificate = student.certificates["cpu-onnx"]
    with Bundle.open(students.with_name("shipping") / "bundles" / "cpu-onnx") as bundle:
        manifest = bundle.manifest
    assert set(manifest.files) - set(certificate.files) == {
        "card.md", "selftest.npz", "seen-images.json",
    }  # fmt: skip
    assert certificate.lowering.evidence_sha256 is None
    assert certificate.lowering.rungs == manifest.lowering.rungs
    assert certificate.decision == manifest.decision


def test_attributes_of_patients_do_not_ship(folder: Path, small_run: Path) -> None:
    """Age, sex and body site are of no use to a build; everything else of the split ships."""
    with (small_run / "student" / "split.csv").open() as stream:
        original = list(csv.DictReader(stream))
    with (folder / "split.csv").open() as stream:
        shipped = list(csv.DictReader(stream))
    columns = ["image", "label", "group", "part"]
    assert list(shipped[0]) == columns
    assert {"attribute:age", "attribute:sex"} < set(original[0])
    data = read_student(folder).certificates["cpu-onnx"].data
    assert data is not None
    assert set(data.parts["train"].attributes) >= {"age", "sex"}  # counted, of nobody in particular
    assert shipped == [{name: row[name] for name in columns} for row in original]


def test_the_list_of_images_is_that_of_the_run(folder: Path, small_run: Path) -> None:
    listed = read_student(folder).seen_images
    assert listed is not None
    with (small_run / "student" / "split.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    hashes = image_hashes([small_run / "data" / row["image"] for row in rows])
    for row, sha256 in zip(rows, hashes, strict=True):
        part = listed.part_of(sha256)
        assert part == (row["part"] if row["part"] in ("train", "validation") else None)


def test_the_outputs_for_the_painted_images_are_those_of_the_certified_file(
    folder: Path, students: Path
) -> None:
    student = read_student(folder)
    with Classifier.open(students.with_name("shipping") / "bundles" / "cpu-onnx") as classifier:
        answers = np.stack([classifier.logits(image) for image in student.images])
    np.testing.assert_allclose(student.outputs["cpu-onnx"], answers, atol=1e-5)


def test_every_file_is_in_the_seal(folder: Path) -> None:
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    sealed = json.loads((folder / SEAL).read_text())["files"]
    assert set(sealed) == files - {SEAL}
    assert set(CHECKPOINT) < set(sealed)
