"""Adapters between a student's and a teacher's maps."""

from __future__ import annotations

import pytest
import torch

from edgekd.distill.methods.adapters import map_adapter
from edgekd.errors import InputError
from edgekd.models.features import Features


@pytest.mark.parametrize(("own", "wanted"), [(7, 7), (14, 7), (4, 8), (9, 7)])
def test_adapters_bring_a_map_to_the_teachers(own, wanted):
    student, teacher = torch.rand(2, 5, own, own), torch.rand(2, 8, wanted, wanted)
    nothing = torch.zeros(0)
    adapter = map_adapter(Features(student, nothing, nothing), Features(teacher, nothing, nothing))
    assert adapter(student).shape == teacher.shape
    assert (adapter(student) >= 0).all()


def test_a_map_that_is_too_small_is_refused():
    student, teacher = torch.rand(2, 5, 3, 3), torch.rand(2, 8, 7, 7)
    nothing = torch.zeros(0)
    with pytest.raises(InputError, match=r"3×3.*7×7"):
        map_adapter(Features(student, nothing, nothing), Features(teacher, nothing, nothing))
