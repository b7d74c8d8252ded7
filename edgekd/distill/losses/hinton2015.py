"""Softened outputs: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network"."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

__all__ = ["softened_kl"]


def softened_kl(
    student: Tensor, teacher: Tensor, temperature: float, weights: Tensor | None = None
) -> Tensor:
    """T² · mean over the batch of KL(σ(teacher/T) ‖ σ(student/T)).

    The factor T² keeps the gradient's size when T changes (section 2 of the paper).

    Args:
        student: Logits [B, K].
        teacher: Logits [B, K]; no gradient flows to them.
        temperature: T > 0.
        weights: Weight of each sample [B]; the mean is then Σ w·KL / Σ w.

    Returns:
        A scalar, 0 where the softened outputs agree.
    """
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    divergence = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)
    if weights is None:
        return temperature**2 * divergence.mean()
    return temperature**2 * (weights * divergence).sum() / weights.sum()
