"""Softened outputs of findings: Yang et al. 2023, "Multi-Label Knowledge Distillation" (ICCV)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.hinton2015 import softened
from edgekd.distill.losses.precision import full_precision

__all__ = ["softened_binary_kl"]


@full_precision
def softened_binary_kl(
    student: Tensor,
    teacher: Tensor,
    temperature: float | Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """T² · mean over images and findings of KL(Bernoulli(σ(t/T)) ‖ Bernoulli(σ(s/T))).

    Each finding is a distribution of two outcomes, as in the paper's multi-label logits
    distillation (which takes T = 1); T² keeps the gradient's size when T changes (Hinton, Vinyals,
    Dean 2015, section 2).

    Args:
        student: Logits s, [B, K].
        teacher: Logits t, [B, K]; no gradient flows to them.
        temperature: T > 0: a number, or a tensor, [] or one T for each image [B].
        weights: Weight of each image and finding [B, K]; the mean is then Σ w·KL / Σ w.

    Returns:
        A scalar, 0 where the softened outputs agree.
    """
    s, t = softened(student, temperature), softened(teacher.detach(), temperature)
    present = t.sigmoid() * (F.logsigmoid(t) - F.logsigmoid(s))
    absent = (-t).sigmoid() * (F.logsigmoid(-t) - F.logsigmoid(-s))
    squared = temperature**2
    if isinstance(squared, Tensor) and squared.ndim == 1:
        squared = squared[:, None]
    divergence = squared * (present + absent)
    if weights is None:
        return divergence.mean()
    return (weights * divergence).sum() / weights.sum()
