"""The arithmetic of losses, kept out of low precision.

Networks may run in half precision; what compares their outputs may not. A divergence of outputs
0.3 apart is a difference of logarithms that agree in their first two digits: in bfloat16, which has
no more, it is off by half and can be negative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from edgekd.data.autocast import without_autocast
from edgekd.errors import InputError

__all__ = ["at_least_float32", "full_precision", "refuse_half_precision", "widened"]

P = ParamSpec("P")
R = TypeVar("R")


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator of a function that computes a loss or part of one: it runs in float32 at least.

    Tensors among the arguments are widened to float32 (float64 stays), and autocast, which would
    take products back to half precision, is off inside. Every public function of
    `edgekd.distill.losses` carries it, and so does arithmetic on tensors in a method itself.
    """

    @wraps(function)
    def wide(*args: P.args, **kwargs: P.kwargs) -> R:
        with without_autocast():
            own: Any = [_widen(value) for value in args]
            named: Any = {name: _widen(value) for name, value in kwargs.items()}
            return function(*own, **named)

    return wide


def _widen(value: object) -> object:
    if isinstance(value, Tensor) and value.is_floating_point():
        return at_least_float32(value)
    return value


def widened(features: Tensor) -> Tensor:
    """`features` in float64; in float32 on a device that lacks it.

    Relations between samples are differences of inner products: for features that lie close
    together nothing would be left of them in float32.
    """
    return features.float() if features.device.type == "mps" else features.double()


def at_least_float32(features: Tensor) -> Tensor:
    """`features` out of half precision, in which squares overflow."""
    return features.to(torch.promote_types(features.dtype, torch.float32))


def refuse_half_precision(loss: Tensor, name: str) -> None:
    """Refuse a loss in half precision, in which a difference of outputs is mostly rounding.

    Args:
        loss: A scalar.
        name: Name of the loss, for the message.

    Raises:
        InputError: The loss has fewer than 32 bits.
    """
    if torch.finfo(loss.dtype).bits < 32:
        kind = str(loss.dtype).removeprefix("torch.")
        hint = "compute it under `losses.precision.full_precision`"
        raise InputError(f"{name} is {kind}", hint)
