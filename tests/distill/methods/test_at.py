"""Attention transfer: the loss against its formulas."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
from composed import ALL_OPTIONS, Step, check
from torch import Tensor


def attention_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student), step.see(method.teacher)
    gap = paper.attention(own.maps) - paper.attention(guide.maps)
    return {"ce": step.hard(own.outputs), "attention": c.weight * (gap**2).mean()}


REFERENCES = {"student": attention_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("at", stage, REFERENCES[stage], options)
