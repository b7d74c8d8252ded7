"""Focal loss: Lin, Goyal, Girshick, He, Dollár 2017, "Focal Loss for Dense Object Detection"
(ICCV; arXiv 1708.02002).

The factor (1 − p)^γ takes weight from samples that the network already gets right with confidence
p. It is computed from logarithms: of a p that rounds to 1 a power below 1 has no finite gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.label_means import mean_over_occurring, mean_over_rows
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.losses.zhao2022 import log_target_pair

__all__ = ["binary_focal_loss", "binary_focal_terms", "focal_loss"]


@full_precision
def focal_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    gamma: float = 2.0,
    shares: Tensor | None = None,
) -> Tensor:
    """Σ w_y (1 − p_y)^γ ℓ / Σ w_y over the batch; γ = 0 is `weighted_cross_entropy`.

    p is the softmax of the logits, as in the softmax form of later code (the paper has sigmoids,
    `binary_focal_loss`); w is the paper's α. 0 where no class of the batch has a weight.

    Args:
        logits: [B, K].
        targets: y, class indices [B].
        weights: w of each class [K].
        gamma: γ ≥ 0; 2 in the paper.
        shares: What each row counts [B]; None where all count the same.
    """
    log_right, log_wrong = log_target_pair(logits, targets).unbind(dim=1)
    losses = -(gamma * log_wrong).exp() * log_right
    if weights is not None:
        losses = weights.to(losses.dtype)[targets] * losses
    return mean_over_occurring(losses, targets, weights, shares)


@full_precision
def binary_focal_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    gamma: float = 2.0,
    shares: Tensor | None = None,
) -> Tensor:
    """Mean over images and findings of −w·y·(1 − p)^γ·log p − (1 − y)·p^γ·log(1 − p).

    γ = 0 is `weighted_binary_cross_entropy`.

    Args:
        logits: [B, K]; p is their sigmoid.
        targets: y, 0 or 1, [B, K].
        weights: w of each finding [K].
        gamma: γ ≥ 0.
        shares: What each row counts [B]; None where all count the same.
    """
    losses = binary_focal_terms(logits, targets, gamma)
    if weights is not None:
        losses = torch.where(targets > 0.5, weights.to(losses.dtype), 1.0) * losses
    return mean_over_rows(losses, shares)


@full_precision
def binary_focal_terms(
    logits: Tensor, targets: Tensor, gamma: float, limit: float | None = None
) -> Tensor:
    """The focal loss of each image and finding without weights, [B, K].

    Args:
        logits: [B, K].
        targets: 0 or 1, [B, K].
        gamma: γ ≥ 0.
        limit: The greatest cross-entropy, before the factor (1 − p)^γ; None for no limit.
    """
    right = torch.where(targets > 0.5, logits, -logits)
    entropy = -F.logsigmoid(right)
    if limit is not None:
        entropy = entropy.clamp(max=limit)
    return (gamma * F.logsigmoid(-right)).exp() * entropy
