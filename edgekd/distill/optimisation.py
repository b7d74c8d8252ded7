"""Optimisers, learning rates and early stopping.

The rate of an epoch and the decision to stop are functions of the history, which travels with the
training checkpoint: a run that was interrupted needs no other state to go on as it would have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from edgekd.recipe import FitSection

__all__ = [
    "Better",
    "OwnSGD",
    "TrainsBySGD",
    "best_epoch",
    "make_optimizer",
    "one_cycle",
    "rate_of_epoch",
    "stalled",
]

Better = Literal["max", "min"]
_DROP = 0.1
_FLOOR = 1e-6  # of the learning rate on a plateau, as in SSD-KD (Wang et al. 2023)


@dataclass(frozen=True)
class OwnSGD:
    """The SGD of a module whose steps must be as large as its gradients are.

    Attributes:
        learning_rate: Its peak; it rises and falls with that of the stage.
        momentum: Share of the previous step.
        weight_decay: Of all parameters.
    """

    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0


@runtime_checkable
class TrainsBySGD(Protocol):
    """A module that is trained by SGD whatever trains the others.

    Adam divides a gradient by its usual size: a factor on it, by which a curriculum grows harder or
    a player is held back, would change nothing.
    """

    own_sgd: OwnSGD


def make_optimizer(modules: Sequence[nn.Module], fit: FitSection) -> torch.optim.Optimizer:
    """The optimiser of a stage: the recipe's, and beside it that of each `TrainsBySGD`.

    The recipe's weight decay is on matrices and kernels only.
    """
    own = [module for module in modules if isinstance(module, TrainsBySGD)]
    stage = _stage_optimizer([module for module in modules if module not in own], fit)
    return _Together(stage, *(_own_optimizer(module) for module in own)) if own else stage


def _stage_optimizer(modules: Sequence[nn.Module], fit: FitSection) -> torch.optim.Optimizer:
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": fit.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if fit.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=fit.learning_rate, momentum=fit.momentum)
    return torch.optim.AdamW(groups, lr=fit.learning_rate)


def _own_optimizer(module: Any) -> torch.optim.Optimizer:
    own: OwnSGD = module.own_sgd
    return torch.optim.SGD(
        module.parameters(),
        lr=own.learning_rate,
        momentum=own.momentum,
        weight_decay=own.weight_decay,
    )


class _Together(torch.optim.Optimizer):
    """Several optimisers that step as one: one schedule, one gradient scaler, one state."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        # A schedule that moves AdamW's β₁ writes it into every group; SGD's does not read it.
        super().__init__(self._groups(), parts[0].defaults)

    def _groups(self) -> list[dict[str, Any]]:
        """The parts' own dictionaries, so that a rate set here holds there."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of each part, after the closure if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of each part."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of each part."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()


def one_cycle(optimizer: torch.optim.Optimizer, fit: FitSection, steps: int) -> OneCycleLR:
    """The rate of each step of a run, up and down again (Smith & Topin 2018).

    Each group's rate is its peak now. As in the paper AdamW's β₁ goes the other way, from 0.95 to
    0.85 and back; the momentum of SGD is the recipe's throughout.

    Args:
        optimizer: Stepped `steps` times.
        fit: Says the share of the steps in which the rate rises.
        steps: Of the whole run.
    """
    steps = max(steps, 2)
    if fit.warmup * steps == 1:
        steps += 1  # PyTorch divides by the length of the rise, one step less
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=fit.warmup,
        cycle_momentum=fit.optimizer == "adamw",
    )


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
