"""The learning rate and the early stop, as functions of the history."""

from __future__ import annotations

import math

import msgspec
import pytest
import torch
from torch import nn

from edgekd.distill.training.optimisation import (
    best_epoch,
    make_optimizer,
    one_cycle,
    rate_of_epoch,
    should_stop,
)
from edgekd.recipe import FitSection

PAPER = FitSection(optimizer="sgd", learning_rate=1e-3, schedule="plateau", patience=2)


def test_today_is_the_default():
    fit = FitSection()
    assert isinstance(make_optimizer([nn.Linear(2, 2)], fit), torch.optim.AdamW)
    assert rate_of_epoch(fit, [0.1, 0.2], "max") is None
    assert not should_stop(fit, [0.5] * 100, "max")


def test_decay_spares_biases_and_norms():
    modules = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)]
    optimizer = make_optimizer(modules, msgspec.structs.replace(PAPER, weight_decay=0.1))
    assert isinstance(optimizer, torch.optim.SGD)
    found = [(len(g["params"]), g["weight_decay"], g["momentum"]) for g in optimizer.param_groups]
    assert found == [(1, 0.1, 0.9), (3, 0.0, 0.9)]


@pytest.mark.parametrize(
    ("scores", "better", "rate"),
    [
        ([], "min", 1e-3),
        ([3.0, 2.0, 2.1, 2.2], "min", 1e-3),
        ([3.0, 2.0, 2.1, 2.2, 2.3], "min", 1e-4),
        ([0.1, 0.2, 0.1, 0.1, 0.1], "max", 1e-4),
        ([1.0] * 40, "min", 1e-6),
    ],
)
def test_plateau(scores, better, rate):
    assert rate_of_epoch(PAPER, scores, better) == pytest.approx(rate)


def test_steps():
    fit = FitSection(learning_rate=1.0, schedule="steps", milestones=(2, 4))
    found = [rate_of_epoch(fit, [0.0] * done, "min") for done in range(6)]
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_early_stop():
    fit = FitSection(stop_after=2)
    assert not should_stop(fit, [], "min")
    assert not should_stop(fit, [1.0, 0.5, 0.6], "min")
    assert should_stop(fit, [1.0, 0.5, 0.6, 0.7], "min")
    assert not should_stop(fit, [1.0, 0.5, 0.6, 0.7, 1.1], "max")


def test_the_earliest_of_equals_is_best_and_not_a_number_is_worst():
    assert best_epoch([0.1, 0.3, 0.3], "max") == 1
    assert best_epoch([math.nan, 0.3, 0.2], "min") == 2
    assert best_epoch([math.nan, 0.3, 0.2], "max") == 1


def cycle(fit: FitSection, steps: int) -> list[dict[str, float]]:
    """The first group before each step."""
    optimizer = make_optimizer([nn.Linear(2, 2)], fit)
    schedule, found = one_cycle(optimizer, fit, steps), []
    for _ in range(steps):
        found.append(dict(optimizer.param_groups[0]))
        optimizer.step()
        schedule.step()
    return found


def test_one_cycle_leaves_the_momentum_of_sgd_as_it_is_asked_for():
    fit = FitSection(optimizer="sgd", momentum=0.7, learning_rate=0.1)
    found = cycle(fit, 10)
    assert [group["momentum"] for group in found] == [0.7] * 10
    assert max(group["lr"] for group in found) == pytest.approx(0.1)
    assert found[-1]["lr"] < 1e-4 < found[0]["lr"] < found[1]["lr"]


def test_one_cycle_moves_the_first_beta_of_adamw_as_the_paper_does_momentum():
    betas = [group["betas"][0] for group in cycle(FitSection(), 10)]
    assert (betas[0], betas[1], betas[-1]) == pytest.approx((0.95, 0.85, 0.95))


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.2, 0.25, 0.5, 0.9, 1 / 3, 0.999])
def test_one_cycle_of_any_number_of_steps(warmup):
    for steps in range(1, 25):
        rates = [group["lr"] for group in cycle(FitSection(warmup=warmup), steps)]
        assert all(0 < rate <= 1e-3 * (1 + 1e-9) for rate in rates)
