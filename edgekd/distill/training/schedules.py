"""Schedules of the learning rate: by the step, or by the epoch.

The rate of an epoch is a function of the validation scores so far, which are part of the training
checkpoint: an interrupted run needs no other state to continue exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import cos, pi

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from edgekd.distill.training.early_stop import Better
from edgekd.recipe import OptimiserSection

__all__ = ["cosine", "one_cycle", "rate_of_epoch", "schedule_of_steps"]

_DROP = 0.1
_FLOOR = 1e-6  # of the learning rate on a plateau, as in SSD-KD (Wang et al. 2023)


def schedule_of_steps(
    optimizer: torch.optim.Optimizer, section: OptimiserSection, steps: int
) -> LRScheduler | None:
    """The schedule that changes the rate with every step; None where epochs change it.

    Args:
        optimizer: The optimiser; the rate of each group now is its largest.
        section: Gives the schedule.
        steps: Number of steps of the whole run.
    """
    if section.schedule == "one_cycle":
        return one_cycle(optimizer, section, steps)
    return cosine(optimizer, section, steps) if section.schedule == "cosine" else None


def one_cycle(
    optimizer: torch.optim.Optimizer, section: OptimiserSection, steps: int
) -> OneCycleLR:
    """The schedule that raises and lowers the rate once in a run (Smith & Topin 2018).

    The maximum of each group is its rate now. As in the paper AdamW's β₁ moves inversely, from 0.95
    to 0.85 and back; the momentum of SGD stays as the section gives it.

    Args:
        optimizer: The optimiser, which takes `steps` steps.
        section: Gives the share of the steps in which the rate rises.
        steps: Number of steps of the whole run.
    """
    steps = max(steps, 2)
    if section.warmup * steps == 1:
        steps += 1  # PyTorch divides by the length of the rise, one step less
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=section.warmup,
        cycle_momentum=section.optimizer == "adamw",
    )


def cosine(optimizer: torch.optim.Optimizer, section: OptimiserSection, steps: int) -> LambdaLR:
    """The schedule that falls from the peak to 0 along half a cosine, after a linear rise.

    Source: Loshchilov & Hutter 2017, "SGDR" (ICLR), equation 5, without restarts; the rise is that
    of Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2.

    Args:
        optimizer: The optimiser; the peak of each group is its rate now.
        section: Gives the share of the steps in which the rate rises.
        steps: Number of steps of the whole run.
    """
    rise = round(section.warmup * steps)
    return LambdaLR(optimizer, partial(_cosine_factor, rise=rise, steps=steps))


def _cosine_factor(step: int, *, rise: int, steps: int) -> float:
    """The rate of a step, counted from 0, as a share of the peak."""
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1.0 + cos(pi * min((step - rise) / max(steps - rise, 1), 1.0)))


def rate_of_epoch(
    section: OptimiserSection, scores: Sequence[float], better: Better
) -> float | None:
    """The learning rate of the next epoch.

    Args:
        section: Gives the schedule.
        scores: Validation scores of the epochs so far.
        better: Whether the highest or the lowest is the best.

    Returns:
        The rate; None for a schedule that changes it with every step.
    """
    if section.schedule in ("one_cycle", "cosine"):
        return None
    if section.schedule == "steps":
        passed = sum(len(scores) >= milestone for milestone in section.milestones)
        return float(section.learning_rate * _DROP**passed)
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=section.learning_rate)
    plateau = ReduceLROnPlateau(
        stand_in, better, factor=_DROP, patience=section.patience, min_lr=_FLOOR
    )
    for score in scores:
        plateau.step(score)
    return float(stand_in.param_groups[0]["lr"])
