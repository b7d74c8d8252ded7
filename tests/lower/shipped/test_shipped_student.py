"""Reading a shipped student: whole, or refused with the file that is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekd.errors import ArtefactError
from edgekd.lower.precision import Variant
from edgekd.lower.shipped.student import is_shipped, read_student, variant_of


def test_a_student_carries_what_replaces_its_images(students: Path) -> None:
    student = read_student(students / "tiny-student")
    assert student.name == "tiny-student"
    (name,) = student.certificates
    manifest = student.certificates[name]
    assert name == manifest.lowering.target == "cpu-onnx"
    assert variant_of(manifest) == Variant(precision="int8")
    assert set(manifest.files) == {manifest.model_file}
    assert student.ranges.keys() == {(manifest.lowering.backend, Variant(precision="int8"))}
    assert len(student.images) == len(student.outputs[name]) >= 16
    assert student.source().images_sha256
    assert not student.source().card.data.root.startswith("/")


def test_a_students_address_is_its_name_where_it_is_known(
    students: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_student(copy).address == str(copy)
    monkeypatch.setenv("EDGEKD_STUDENTS", str(students))
    assert read_student(students / "tiny-student").address == "tiny-student"
    assert read_student(copy).address == str(copy)


def test_a_checkpoint_is_no_shipped_student(small_run: Path, students: Path) -> None:
    assert not is_shipped(small_run / "student")
    assert is_shipped(students / "tiny-student")


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "certificates/cpu-onnx.json", "ranges/onnx-int8.safetensors",
     "painted.npz", "card.md", "split.csv"],
)  # fmt: skip
def test_every_file_is_sealed(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=Path(name).name):
        read_student(copy)


def test_the_certificate_of_another_student_is_refused(
    copy: Path, reseal: Callable[[Path], None]
) -> None:
    file = copy / "certificates" / "cpu-onnx.json"
    manifest = json.loads(file.read_text())
    manifest["model"]["image_size"] = 96
    file.write_text(json.dumps(manifest))
    reseal(copy)
    with pytest.raises(ArtefactError, match="another student"):
        read_student(copy)


@pytest.mark.parametrize("painted", ["too few outputs", "another size", "no outputs", "no archive"])
def test_painted_images_that_do_not_belong_to_it_are_refused(
    copy: Path, reseal: Callable[[Path], None], painted: str
) -> None:
    student = read_student(copy)
    outputs, images = student.outputs["cpu-onnx"], student.images
    arrays = {
        "too few outputs": {"images": images, "cpu-onnx": outputs[:3]},
        "another size": {"images": images[:, :32, :32], "cpu-onnx": outputs},
        "no outputs": {"images": images},
    }
    if painted in arrays:
        np.savez(copy / "painted.npz", **arrays[painted])
    else:
        (copy / "painted.npz").write_bytes(b"none")
    reseal(copy)
    with pytest.raises(ArtefactError, match=r"painted\.npz"):
        read_student(copy)
