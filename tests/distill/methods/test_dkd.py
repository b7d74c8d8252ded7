"""Decoupled distillation: warm-up, and the loss against its formulas."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
import torch
from composed import ALL_OPTIONS, EPOCHS, Step, check
from tiny_methods import batch, method
from torch import Tensor

from edgekd.distill.methods import resolve_method
from edgekd.errors import InputError
from edgekd.recipe import FitSection


@pytest.mark.parametrize(("epochs", "whole"), [(10, 5), (40, 20), (6, 3)])
def test_decoupled_terms_warm_up_over_a_share_of_the_run(epochs, whole):
    objective = method("dkd", fit=FitSection(epochs=epochs), warmup=0.5).stages()[0].objective
    with torch.no_grad():
        first, before, last = (objective(batch(epoch)) for epoch in (0, whole - 2, whole - 1))
        end = objective(batch(epochs - 1))
    for term in ("target", "others"):
        assert end[term] > 1e-4
        assert last[term] == end[term]
        torch.testing.assert_close(whole * first[term], end[term])
        torch.testing.assert_close(whole / (whole - 1) * before[term], end[term])
    assert first["ce"] == end["ce"]


def test_decoupled_terms_are_whole_within_a_short_run():
    """Twenty epochs of two hundred and forty are less than one of ten."""
    objective = method("dkd", fit=FitSection(epochs=10)).stages()[0].objective
    with torch.no_grad():
        assert objective(batch(0)) == objective(batch(9))


@pytest.mark.parametrize("epochs", [1, 20])
def test_a_warmup_in_epochs_is_refused(epochs):
    with pytest.raises(InputError, match=f"{epochs} is not a share of the epochs"):
        resolve_method({"name": "dkd", "warmup": epochs})


def dkd_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student).outputs, step.see(method.teacher).outputs
    target, others = paper.decoupled(own, guide, step.targets, c.temperature)
    rise = min((step.epoch + 1) / (c.warmup * EPOCHS), 1.0)
    return {
        "ce": c.ce * step.hard(own),
        "target": rise * c.alpha * target,
        "others": rise * c.beta * others,
    }


REFERENCES = {"student": dkd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("dkd", stage, REFERENCES[stage], options)
