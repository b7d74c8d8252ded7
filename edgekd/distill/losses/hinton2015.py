"""Softened outputs: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network"."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["softened", "softened_kl", "squared_mean"]


@full_precision
def softened_kl(
    student: Tensor,
    teacher: Tensor,
    temperature: float | Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """T² · mean over the batch of KL(σ(teacher/T) ‖ σ(student/T)).

    The factor T² keeps the gradient's size when T changes (section 2 of the paper).

    Args:
        student: Logits [B, K].
        teacher: Logits [B, K]; no gradient flows to them.
        temperature: T > 0: a number, or a tensor, [] or one T for each sample [B].
        weights: Weight of each sample [B]; the mean is then Σ w·KL / Σ w.

    Returns:
        A scalar, 0 where the softened outputs agree.
    """
    log_q = F.log_softmax(softened(student, temperature), dim=1)
    log_p = F.log_softmax(softened(teacher.detach(), temperature), dim=1)
    divergence = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)
    return squared_mean(divergence, temperature, weights)


@full_precision
def softened(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Logits [B, K] over T, or over the T of each sample [B]."""
    if isinstance(temperature, Tensor) and temperature.ndim == 1:
        temperature = temperature[:, None]
    return logits / temperature


@full_precision
def squared_mean(
    divergence: Tensor, temperature: float | Tensor, weights: Tensor | None = None
) -> Tensor:
    """Mean over the batch of T² · divergence [B], weighted by sample if weights [B] are given."""
    if isinstance(temperature, Tensor) and temperature.ndim == 1:
        return squared_mean(temperature**2 * divergence, 1.0, weights)
    if weights is None:
        return temperature**2 * divergence.mean()
    return temperature**2 * (weights * divergence).sum() / weights.sum()
