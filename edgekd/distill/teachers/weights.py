"""Weights of several teachers, fitted to labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.distill.task import TrainingTask
from edgekd.distill.teachers.averaged import Average

__all__ = ["fitted_weights"]

_LEAST = 1e-6  # keeps the logarithm of a weight finite
_NEGLIGIBLE = 1e-3


def fitted_weights(
    outputs: Tensor, targets: Tensor, classes: int, task: TrainingTask, average: Average
) -> tuple[float, ...]:
    """The weights under which the labels are most likely: w ≥ 0 with sum 1.

    The problem is convex, for averaged probabilities as for averaged logits.

    Args:
        outputs: Outputs of each teacher [M, N, …], in float64.
        targets: Targets [N, …].
        classes: Number of classes.
        task: The training layer of the task.
        average: How outputs are averaged.

    Source: for averaged probabilities a linear opinion pool by maximum likelihood (Hall & Mitchell
    2007, "Combining density forecasts").
    """
    from scipy.optimize import minimize

    ones = torch.ones(classes, dtype=torch.float64)

    def loss(weights: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        w = torch.from_numpy(weights).requires_grad_()
        value = task.hard_label_loss(average(outputs, w), targets, ones, 0.0)
        (slope,) = torch.autograd.grad(value, w)
        return float(value.detach()), slope.numpy()

    count = len(outputs)
    result = minimize(
        loss, np.full(count, 1 / count), jac=True, method="SLSQP",
        bounds=[(_LEAST, 1.0)] * count, options={"ftol": 1e-10, "maxiter": 500},
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
    )  # fmt: skip
    return _rounded(result.x)


def _rounded(weights: NDArray[Any]) -> tuple[float, ...]:
    """Without negligible weights, and the same on machines that differ in their last digits."""
    kept = np.where(weights < _NEGLIGIBLE, 0.0, weights)
    return tuple(round(float(weight), 4) for weight in kept / kept.sum())
