"""Curriculum temperature: Li, Li, Yang, Zhao, Song, Luo, Li, Yang 2023, "Curriculum Temperature for
Knowledge Distillation" (CTKD; AAAI; arXiv 2211.16231).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["Rise", "bounded_temperature", "reversal", "reversed_gradient"]

Rise = Literal["cosine", "linear"]


@full_precision
def bounded_temperature(raw: Tensor, floor: float = 1.0, span: float = 20.0) -> Tensor:
    """T = floor + span · sigmoid(raw): between `floor` and `floor + span`, as in the released code.

    Args:
        raw: θ, of any shape.
        floor: τ₀, 1 in the released code.
        span: τ_r, 20 there.
    """
    return floor + span * torch.sigmoid(raw)


def reversal(epoch: int, epochs: int = 10, rise: Rise = "cosine") -> float:
    """λ(e), the factor of the gradient that reaches θ: from 0 down to −1.

    Cosine: −½ (1 − cos(π · min(e, E) / E)); linear: −min(e, E) / E. The released code divides by
    its default of E = 0.

    Args:
        epoch: e, counted from 1: θ changes from the first epoch on.
        epochs: E ≥ 1, after which λ stays −1.
        rise: Form of the schedule.
    """
    share = min(epoch, epochs) / epochs
    return -share if rise == "linear" else -0.5 * (1.0 - math.cos(math.pi * share))


@full_precision
def reversed_gradient(value: Tensor, factor: float) -> Tensor:
    """`value` unchanged; in the backward pass its gradient is multiplied by `factor`.

    With a negative factor, parameters before it ascend the loss that parameters after it descend
    (the gradient reversal layer of Ganin, Lempitsky 2015).
    """
    reversed_: Tensor = _Reversal.apply(value, factor)
    return reversed_


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * gradients[0], None
