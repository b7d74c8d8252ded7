"""Optimisers, learning-rate schedules and early stopping.

The rate of an epoch and the decision to stop are functions of the validation scores so far, which
are part of the training checkpoint: an interrupted run needs no other state to continue exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from edgekd.recipe import FitSection, OptimiserSection

__all__ = [
    "Better",
    "OwnSGD",
    "ScheduledOptimizer",
    "TrainsBySGD",
    "best_epoch",
    "make_optimizer",
    "one_cycle",
    "rate_of_epoch",
    "should_stop",
]

Better = Literal["max", "min"]
_DROP = 0.1
_FLOOR = 1e-6  # of the learning rate on a plateau, as in SSD-KD (Wang et al. 2023)


@dataclass(frozen=True)
class OwnSGD:
    """SGD for a module whose steps must be proportional to its gradients.

    Attributes:
        learning_rate: Largest rate; the schedule scales it together with the section's rate.
        momentum: Share of the previous step that is added.
        weight_decay: Weight decay, applied to all parameters.
    """

    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0


@runtime_checkable
class TrainsBySGD(Protocol):
    """A module that is trained by SGD whatever optimiser trains the others.

    Adam divides a gradient by its usual magnitude. A factor on the gradient, such as the one by
    which a curriculum becomes harder, would therefore have no effect.
    """

    own_sgd: OwnSGD


def make_optimizer(
    modules: Sequence[nn.Module], section: OptimiserSection
) -> torch.optim.Optimizer:
    """The optimiser of a section, combined with the SGD of each module that `TrainsBySGD`.

    The section's weight decay is on matrices and kernels only.
    """
    by_sgd = [module for module in modules if isinstance(module, TrainsBySGD)]
    main = _main_optimizer([module for module in modules if module not in by_sgd], section)
    return (
        _Combined(main, *(_sgd_of(module.own_sgd, module) for module in by_sgd)) if by_sgd else main
    )


def _main_optimizer(
    modules: Sequence[nn.Module], section: OptimiserSection
) -> torch.optim.Optimizer:
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": section.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if section.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=section.learning_rate, momentum=section.momentum)
    return torch.optim.AdamW(groups, lr=section.learning_rate)


def _sgd_of(options: OwnSGD, module: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        module.parameters(),
        lr=options.learning_rate,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
    )


class _Combined(torch.optim.Optimizer):
    """Several optimisers behind one interface: one schedule, one gradient scaler, one state."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        # A schedule that moves AdamW's β₁ writes it into every group; SGD's does not read it.
        super().__init__(self._groups(), parts[0].defaults)

    def _groups(self) -> list[dict[str, Any]]:
        """The dictionaries of the parts themselves, so that a rate set here holds for them."""
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
        """Restore the state of each part."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()


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


def rate_of_epoch(
    section: OptimiserSection, scores: Sequence[float], better: Better
) -> float | None:
    """The learning rate of the next epoch.

    Args:
        section: Gives the schedule.
        scores: Validation scores of the epochs so far.
        better: Whether the highest or the lowest is the best.

    Returns:
        The rate; None for `one_cycle`, whose rate changes with every step.
    """
    if section.schedule == "one_cycle":
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


class ScheduledOptimizer:
    """An optimiser with the schedule of its learning rate.

    Args:
        modules: Modules that it updates.
        section: Optimiser and schedule.
        steps: Training steps of the whole run.
    """

    def __init__(self, modules: Sequence[nn.Module], section: OptimiserSection, steps: int) -> None:
        self.optimizer = make_optimizer(modules, section)
        self._section = section
        self._peaks = [group["lr"] for group in self.optimizer.param_groups]
        cyclic = section.schedule == "one_cycle"
        self.scheduler = one_cycle(self.optimizer, section, steps) if cyclic else None

    def set_rate(self, scores: Sequence[float], better: Better) -> None:
        """Set the rate of the epoch after those with these scores.

        A group with a peak rate of its own keeps its ratio to the section's. The rate of
        `one_cycle` is not touched: it changes with every step.
        """
        rate = rate_of_epoch(self._section, scores, better)
        if rate is None:
            return
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = rate * (peak / self._section.learning_rate)


def best_epoch(scores: Sequence[float], better: Better) -> int:
    """Index of the best score: the first of equal ones; NaN is worse than any number."""
    sign = 1.0 if better == "max" else -1.0
    return max(range(len(scores)), key=lambda n: (not isnan(scores[n]), sign * scores[n]))


def should_stop(fit: FitSection, scores: Sequence[float], better: Better) -> bool:
    """Whether training stops early: the last `stop_after` epochs brought no better score."""
    if not fit.stop_after or not scores:
        return False
    return len(scores) - 1 - best_epoch(scores, better) >= fit.stop_after
