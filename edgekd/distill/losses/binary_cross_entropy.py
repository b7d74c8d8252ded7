"""The hard-label loss of findings that may occur together, weighted against imbalance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.cross_entropy import POWER
from edgekd.distill.losses.label_means import mean_over_rows
from edgekd.distill.losses.precision import full_precision
from edgekd.recipe import Balance

__all__ = ["positive_weights", "weighted_binary_cross_entropy"]


def positive_weights(counts: Sequence[int], images: int, balance: Balance) -> Tensor:
    """Weight of each finding where it is present: 1, √(absent/present) or absent/present.

    Args:
        counts: Training images in which each finding is present.
        images: Training images.
        balance: How strongly findings are raised; `full` gives presence and absence of a finding
            the same total weight.

    Returns:
        float32 [K]; 1 for a finding that is present in no image or in all.
    """
    present = torch.tensor(counts, dtype=torch.float64)
    absent = images - present
    both = (present > 0) & (absent > 0)
    ratio = torch.where(both, absent / present.clamp(min=1), torch.ones_like(present))
    return (ratio ** POWER[balance]).float()


@full_precision
def weighted_binary_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    shares: Tensor | None = None,
) -> Tensor:
    """Mean over images and findings of −w·y·log σ(z) − (1 − y)·log(1 − σ(z)).

    Args:
        logits: z, [B, K].
        targets: y, 0 or 1, [B, K].
        weights: w of each finding [K].
        label_smoothing: s; y is then (1 − s)·y + s/2.
        shares: What each row counts [B]; None where all count the same.
    """
    smoothed = (1.0 - label_smoothing) * targets.to(logits.dtype) + label_smoothing / 2.0
    weights = None if weights is None else weights.to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(
        logits, smoothed, pos_weight=weights, reduction="none"
    )
    return mean_over_rows(losses, shares)
