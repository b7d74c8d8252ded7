from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekd.distill.teachers.sides import crop_side, side_of_file
from edgekd.distill.teachers.soft_label_files import SoftLabelFile, write_soft_label_file
from edgekd.distill.teachers.soft_labels import SoftLabelFacts
from edgekd.errors import InputError


def write_file(file: Path, views, image_size: int = 40) -> Path:
    facts = SoftLabelFacts(
        task="classification", classes=("a", "b"), outputs=("a", "b"), views=views,
        image_size=image_size, resize="any", teacher={}, data={},
    )  # fmt: skip
    outputs = np.zeros((1, 1, 2), np.float32)
    write_soft_label_file(file, SoftLabelFile(facts, ("a", "b"), ("1.png",), outputs))
    return file


def test_the_larger_of_the_sizes_of_teacher_and_student(recipe, taught, teacher, tmp_path):
    assert crop_side(recipe()) == 32
    assert crop_side(taught()) == 32  # the teacher's own
    assert crop_side(taught(image_size=24)) == 32
    assert crop_side(taught(image_size=48)) == 48
    section = {"checkpoint": str(teacher)}
    assert crop_side(recipe(teachers=[section, section], teacher={}, image_size=24)) == 32
    with pytest.raises(InputError, match="there is no checkpoint"):
        crop_side(recipe(teacher={"checkpoint": str(tmp_path)}))


def test_the_size_of_a_files_views(recipe, tmp_path):
    files = {
        0: write_file(tmp_path / "a.npz", None),
        40: write_file(tmp_path / "b.npz", {"number": 1}),
        56: write_file(tmp_path / "c.npz", {"number": 1, "side": 56}),
    }
    for side, file in files.items():
        assert side_of_file(file) == side
        assert crop_side(recipe(teacher={"logits": str(file)})) == max(32, side)
