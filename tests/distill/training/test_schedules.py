"""The learning rate, as a function of the history or of the step."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from edgekd.distill.training.optimisation import make_optimizer
from edgekd.distill.training.schedules import cosine, one_cycle, rate_of_epoch, schedule_of_steps
from edgekd.recipe import FitSection

PAPER = FitSection(optimizer="sgd", learning_rate=1e-3, schedule="plateau", patience=2)


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


def rates(fit: FitSection, steps: int) -> list[float]:
    """The rate of each step."""
    optimizer = make_optimizer([nn.Linear(2, 2)], fit)
    schedule, found = cosine(optimizer, fit, steps), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_cosine_rises_in_a_line_and_falls_along_half_a_cosine():
    found = rates(FitSection(schedule="cosine", learning_rate=1.0, warmup=0.2), 20)
    assert found[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    fall = [0.5 * (1 + math.cos(math.pi * step / 16)) for step in range(16)]
    assert found[4:] == pytest.approx(fall)


@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.5, 0.999])
def test_cosine_of_any_number_of_steps(warmup):
    for steps in range(1, 20):
        found = rates(FitSection(schedule="cosine", learning_rate=1.0, warmup=warmup), steps)
        assert all(0 < rate <= 1.0 for rate in found)


def test_each_schedule_is_by_steps_or_by_epochs():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1e-3)
    for name in ("one_cycle", "cosine", "plateau", "steps"):
        fit = FitSection(schedule=name)
        by_steps = schedule_of_steps(optimizer, fit, 10) is not None
        assert by_steps == (rate_of_epoch(fit, [0.5], "max") is None)


def test_cosine_continues_where_it_was():
    fit = FitSection(schedule="cosine", learning_rate=1.0)
    module = nn.Linear(2, 2)
    first, second = (make_optimizer([module], fit) for _ in range(2))
    schedule = cosine(first, fit, 10)
    for _ in range(4):
        first.step()
        schedule.step()
    resumed = cosine(second, fit, 10)
    resumed.load_state_dict(schedule.state_dict())
    second.load_state_dict(first.state_dict())
    assert resumed.get_last_lr() == schedule.get_last_lr()
    second.step()
    resumed.step()
    schedule.step()
    assert resumed.get_last_lr() == schedule.get_last_lr()
