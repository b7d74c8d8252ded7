"""Means of the losses on labels over the rows of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mean_over_occurring", "mean_over_rows"]


def mean_over_occurring(
    losses: Tensor, targets: Tensor, weights: Tensor | None, shares: Tensor | None
) -> Tensor:
    """Σ r·ℓ / Σ r·w_y: the mean normalised by the class weights that occur in the batch.

    0 where no class of the batch has a weight.

    Args:
        losses: ℓ, which contain their weights, [B].
        targets: y, class indices [B].
        weights: w of each class [K]; None for 1.
        shares: r, what each row counts [B]; None for 1.
    """
    occurring = torch.ones_like(losses) if weights is None else weights.to(losses.dtype)[targets]
    if shares is not None:
        losses, occurring = shares * losses, shares * occurring
    total = occurring.sum()
    some = total > 0
    return some * losses.sum() / torch.where(some, total, 1.0)


def mean_over_rows(losses: Tensor, shares: Tensor | None) -> Tensor:
    """Mean of losses [B, K]; each row counts 1, or its share [B]."""
    if shares is None:
        return losses.mean()
    return (shares[:, None] * losses).sum() / (shares.sum() * losses.shape[1])
