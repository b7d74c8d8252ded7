"""The hard-label loss, weighted against class imbalance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.label_means import mean_over_occurring
from edgekd.distill.losses.precision import full_precision
from edgekd.recipe import Balance

__all__ = ["POWER", "class_weights", "weighted_cross_entropy"]

POWER: dict[Balance, float] = {"none": 0.0, "sqrt": 0.5, "full": 1.0}
"""Exponent of the inverse frequency by which a class is raised."""


def class_weights(counts: Sequence[int], balance: Balance) -> Tensor:
    """Weight of each class, ∝ 1, 1/√n or 1/n, with mean 1 over the training images.

    Args:
        counts: Training images of each class; a class without images gets weight 0, and all get
            weight 1 where there are none.
        balance: How strongly rare classes are raised.

    Returns:
        float32 [K].
    """
    n = torch.tensor(counts, dtype=torch.float64)
    if not n.any():
        return torch.ones(len(n))  # no images, and so none more frequent than others
    raw = torch.where(n > 0, n.clamp(min=1) ** -POWER[balance], torch.zeros_like(n))
    return (raw * n.sum() / (raw * n).sum()).float()


@full_precision
def weighted_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    shares: Tensor | None = None,
) -> Tensor:
    """Σ w_y ℓ / Σ w_y over the batch: cross-entropy normalised by the weights that occur.

    0 where no class of the batch has a weight, as in a validation batch of classes that have no
    training image.

    Args:
        logits: [B, K].
        targets: Class indices [B].
        weights: Class weights [K].
        label_smoothing: Share of the target spread over all classes.
        shares: What each row counts [B]; None where all count the same.

    Source: the normalisation of `torch.nn.CrossEntropyLoss`; as `L_ce` in SSD-KD (Wang et al.
    2023, Medical Image Analysis 84:102693).
    """
    weights = None if weights is None else weights.to(logits.dtype)
    losses = F.cross_entropy(
        logits, targets, weights, reduction="none", label_smoothing=label_smoothing
    )
    return mean_over_occurring(losses, targets, weights, shares)
