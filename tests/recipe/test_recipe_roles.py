"""The section of a teacher, without how its outputs are computed."""

from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.recipe import RoleSection, TeacherSection, convert


def test_the_network_of_a_teacher():
    raw = {"checkpoint": "a", "views": 4, "precision": "fp32", "average": "logits"}
    assert convert(raw, TeacherSection, "here").network() == RoleSection(checkpoint="a")


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(InputError, match="all 0"):
        convert({"weights": [0, 0.0]}, TeacherSection, "here")
