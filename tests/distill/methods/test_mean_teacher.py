"""The mean teacher: its start, ramp and average, and the loss against its formulas."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from composed import ALL_OPTIONS, Step, averaged, check, consistency
from tiny_methods import batch, method
from torch import Tensor

from edgekd.distill.losses import ramp_up, softened_kl
from edgekd.distill.methods import Method
from edgekd.recipe import FitSection

FIT = FitSection(epochs=80)


SMALL = {"positives": 3, "negatives": 16, "embedding": 8}


FOLLOWED = ("mean_teacher", "crckd")


def made(name: str, **options: Any) -> Method:
    if name != "mean_teacher":
        options["category"] = SMALL | options.get("category", {})
    return method(name, fit=FIT, **options)


def terms(method: Method, epoch: int = 0) -> dict[str, Tensor]:
    with torch.no_grad():
        found: dict[str, Tensor] = method.stages()[0].objective(batch(epoch))
    return found


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_consistency_rises_until_the_thirtieth_epoch_of_eighty(name):
    method = made(name, turn=False)
    for module in method.average.network.parameters():
        module.mul_(1.1)
    found = {epoch: terms(method, epoch)["consistency"] for epoch in (20, 29, 30, 79)}
    assert found[30] > 0
    assert found[79] == found[30]
    for epoch in (20, 29):
        torch.testing.assert_close(found[epoch], ramp_up(epoch, 30) * found[30])
    with torch.no_grad():
        pixels = batch().pixels
        wanted = softened_kl(method.student(pixels), method.average(pixels), 1.0)
    torch.testing.assert_close(found[30], wanted)


def test_before_its_start_a_mean_teacher_is_supervised_training():
    found, plain = terms(made("mean_teacher")), terms(method("none", fit=FIT))
    assert found == plain


@pytest.mark.parametrize("name", FOLLOWED)
def test_no_gradient_reaches_the_average(name):
    method = made(name)
    (stage,) = method.stages()
    method.requires_grad_(False)
    for module in stage.trained:
        module.requires_grad_(True)
    torch.stack(list(stage.objective(batch(40)).values())).sum().backward()
    assert all(p.grad is None for p in method.average.parameters())
    assert all(p.grad is not None for p in method.student.parameters())
    assert any(p.grad.any() for p in method.student.parameters())


def test_the_average_normalises_by_its_own_batch():
    method = made("mean_teacher")
    (stage,) = method.stages()
    for module in stage.updated:
        module.train()
    before = copy.deepcopy(method.average.state_dict())
    terms(method, 40)
    after = method.average.state_dict()
    means = [key for key in after if key.endswith("running_mean")]
    assert means
    assert not any(after[key].equal(before[key]) for key in means)


def mean_teacher_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, average = step.see(method.student).outputs, averaged(method, step, c).outputs
    return {"ce": step.hard(own), "consistency": consistency(step, c, own, average)}


REFERENCES = {"student": mean_teacher_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("mean_teacher", stage, REFERENCES[stage], options)
