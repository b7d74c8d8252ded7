"""Optimisers, learning rates and early stopping.

The rate of an epoch and the decision to stop are functions of the history, which travels with the
training checkpoint: a run that was interrupted needs no other state to go on as it would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from edgekd.recipe import FitSection

__all__ = ["Better", "best_epoch", "make_optimizer", "rate_of_epoch", "stalled"]

Better = Literal["max", "min"]
_DROP = 0.1
_FLOOR = 1e-6  # of the learning rate on a plateau, as in SSD-KD (Wang et al. 2023)


def make_optimizer(modules: Sequence[nn.Module], fit: FitSection) -> torch.optim.Optimizer:
    """The optimiser of a stage; weight decay on matrices and kernels only.

    A module with a `weight_decay` of its own has all of its parameters decayed by that.
    """
    own = [module for module in modules if hasattr(module, "weight_decay")]
    parameters = [p for module in modules if module not in own for p in module.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": fit.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        *({"params": [*m.parameters()], "weight_decay": m.weight_decay} for m in own),
    ]
    if fit.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=fit.learning_rate, momentum=fit.momentum)
    return torch.optim.AdamW(groups, lr=fit.learning_rate)


def rate_of_epoch(fit: FitSection, scores: Sequence[float], better: Better) -> float | None:
    """The learning rate of the epoch that follows those with the given validation scores.

    Returns:
        None for `one_cycle`, whose rate changes with every step.
    """
    if fit.schedule == "one_cycle":
        return None
    if fit.schedule == "steps":
        passed = sum(len(scores) >= milestone for milestone in fit.milestones)
        return float(fit.learning_rate * _DROP**passed)
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=fit.learning_rate)
    plateau = ReduceLROnPlateau(
        stand_in, better, factor=_DROP, patience=fit.patience, min_lr=_FLOOR
    )
    for score in scores:
        plateau.step(score)
    return float(stand_in.param_groups[0]["lr"])


def best_epoch(scores: Sequence[float], better: Better) -> int:
    """Position of the best score, the earliest of equals; not a number is the worst."""
    sign = 1.0 if better == "max" else -1.0
    return max(range(len(scores)), key=lambda n: (not isnan(scores[n]), sign * scores[n]))


def stalled(fit: FitSection, scores: Sequence[float], better: Better) -> bool:
    """Whether training stops early after epochs with these scores."""
    if not fit.stop_after or not scores:
        return False
    return len(scores) - 1 - best_epoch(scores, better) >= fit.stop_after
