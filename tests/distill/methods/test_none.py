"""Supervised training: the loss against its formula."""

from __future__ import annotations

from typing import Any

import pytest
from composed import ALL_OPTIONS, Step, check
from torch import Tensor


def supervised_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    return {"ce": step.hard(step.see(method.student).outputs)}


REFERENCES = {"supervised": supervised_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("none", stage, REFERENCES[stage], options)
