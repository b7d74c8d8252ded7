"""Supervised training on subclasses: the loss against its formula."""

from __future__ import annotations

from typing import Any

import pytest
from composed import ALL_OPTIONS, Step, check, subclass_ce
from torch import Tensor


def subclass_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    return {"ce": subclass_ce(method, step, step.see(method.student).outputs)}


REFERENCES = {"supervised": subclass_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("subclass", stage, REFERENCES[stage], options)
