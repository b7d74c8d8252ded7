"""Weights of several networks by differential evolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.distill.task import TrainingTask
from edgekd.errors import InputError

__all__ = ["evolved_weights"]

_DIGITS = 4


def evolved_weights(
    outputs: Tensor, targets: Tensor, classes: int, task: TrainingTask, seed: int = 0
) -> tuple[float, ...]:
    """Weights of averaged probabilities under which labels are most likely: w ≥ 0 with sum 1.

    The fitness is the mean negative log-likelihood of held-out labels: accuracy is constant between
    jumps. Each network alone and equal weights are part of the first generation, so that no
    result is worse than they.

    Args:
        outputs: Outputs of each network for held-out images [M, N, …], in float64.
        targets: Targets [N, …].
        classes: Number of classes.
        task: The training layer of the task.
        seed: Seed of the evolution.

    Raises:
        InputError: Outputs are not finite.

    Source: Storn & Price 1997, "Differential Evolution"; as weights of assistants in Ganta et al.
    2022, arXiv 2206.12005.
    """
    from scipy.optimize import differential_evolution

    if not bool(outputs.isfinite().all()):
        message = "outputs of a network for held-out images are not finite"
        raise InputError(message, "lower `fit.learning_rate` of the assistants")
    count = len(outputs)
    ones = torch.ones(classes, dtype=torch.float64)

    def loss(weights: NDArray[Any]) -> float:
        mean = task.mean_probabilities(outputs, torch.from_numpy(_on_simplex(weights)))
        return float(task.hard_label_loss(mean, targets, ones, 0.0))

    known = [*np.eye(count), np.full(count, 1.0 / count)]
    if count == 1:
        return (1.0,)
    drawn = np.random.default_rng(seed).dirichlet(np.ones(count), size=5 * count)
    result = differential_evolution(
        loss, [(0.0, 1.0)] * count, init=np.vstack((known, drawn)), rng=seed, tol=1e-5,
        maxiter=40, polish=False,
    )  # fmt: skip
    # Rounded, so that machines whose last digits differ find the same weights.
    evolved = np.round(_on_simplex(result.x), _DIGITS)
    return tuple(float(weight) for weight in evolved / evolved.sum())


def _on_simplex(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Weights with sum 1; equal ones in the place of none."""
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(weights), 1.0 / len(weights))
