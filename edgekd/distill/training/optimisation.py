"""Optimisers: their parameter groups, kernels and schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from edgekd.distill.training.early_stop import Better
from edgekd.distill.training.layer_rates import layer_scales
from edgekd.distill.training.schedules import rate_of_epoch, schedule_of_steps
from edgekd.recipe import AdamSection, OptimiserSection

__all__ = ["OwnSGD", "ScheduledOptimizer", "TrainsBySGD", "make_optimizer"]

_FUSED = ("cpu", "cuda")
"""Device types on which edgekd uses PyTorch's fused kernels: one pass over memory for each step."""


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
    groups = _groups(modules, section)
    fused = _fusable([parameter for group in groups for parameter in group["params"]])
    options: dict[str, Any] = {"lr": section.learning_rate, "fused": fused}
    optimizer: torch.optim.Optimizer
    if section.optimizer == "sgd":
        optimizer = torch.optim.SGD(groups, momentum=section.momentum, **options)
    else:
        if isinstance(section, AdamSection):
            options["betas"] = section.betas
        optimizer = torch.optim.AdamW(groups, **options)
    # A gradient scaler would leave gradients scaled for a fused kernel, too late for clipping.
    optimizer._step_supports_amp_scaling = False
    return optimizer


def _fusable(parameters: Sequence[nn.Parameter]) -> bool:
    return bool(parameters) and all(p.device.type in _FUSED for p in parameters)


def _groups(modules: Sequence[nn.Module], section: OptimiserSection) -> list[dict[str, Any]]:
    """Parameter groups: those that decay, then biases and norms, for each scale of the rate."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    scales = layer_scales(modules, section.layer_decay)
    return [
        {
            "params": [
                p for p in parameters if scales.get(p, 1.0) == scale and (p.ndim > 1) == decays
            ],
            "lr": section.learning_rate * scale,
            "weight_decay": section.weight_decay if decays else 0.0,
        }
        for scale in sorted({1.0, *scales.values()}, reverse=True)
        for decays in (True, False)
    ]


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


class ScheduledOptimizer:
    """An optimiser with the schedule of its learning rate.

    Args:
        modules: Modules that it updates.
        section: Optimiser and schedule.
        steps: Training steps of the whole run.
    """

    def __init__(self, modules: Sequence[nn.Module], section: OptimiserSection, steps: int) -> None:
        self.optimizer = make_optimizer(modules, section)
        self.section = section
        self._peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.scheduler = schedule_of_steps(self.optimizer, section, steps)
        self._clipped = [m for m in modules if not isinstance(m, TrainsBySGD)]

    def set_rate(self, scores: Sequence[float], better: Better) -> None:
        """Set the rate of the epoch after those with these scores.

        A group with a peak rate of its own keeps its ratio to the section's. A rate that changes
        with every step is not touched.
        """
        rate = rate_of_epoch(self.section, scores, better)
        if rate is None:
            return
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = rate * (peak / self.section.learning_rate)

    def clip_gradient(self, limit: float | None = None) -> None:
        """Scale the gradient down to a norm of `limit` if it is longer.

        Modules whose steps must be proportional to their gradients are left out.

        Args:
            limit: Largest norm; 0 for no limit, None for the section's `clip`.
        """
        limit = self.section.clip if limit is None else limit
        parameters = [p for m in self._clipped for p in m.parameters() if p.grad is not None]
        if limit and parameters:
            nn.utils.clip_grad_norm_(parameters, limit)
