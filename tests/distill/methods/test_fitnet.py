"""FitNets: the hint stage, and the losses against their formulas."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
from composed import ALL_OPTIONS, Step, check, kd_terms
from tiny_methods import method
from torch import Tensor


def test_fitnet_takes_the_hint_first():
    first, second = method("fitnet", hint_epochs=3).stages()
    assert (first.name, first.fit.epochs, first.criterion is not None) == ("hint", 3, True)
    assert second.fit is None


def hint_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student).maps, step.see(method.teacher).maps
    return {"hint": ((paper.adapted(method.adapter, own) - guide) ** 2).mean() / 2}


REFERENCES = {"hint": hint_terms, "student": kd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("fitnet", stage, REFERENCES[stage], options)
