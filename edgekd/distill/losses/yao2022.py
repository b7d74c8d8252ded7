"""The multi-weighted loss for skin lesions: Yao, Shen, Xu, Liu, Zhang, Xing, Shao, Kaffenberger, Xu
2022, "Single Model Deep Learning on Imbalanced Small Datasets for Skin Lesion Classification" (IEEE
Transactions on Medical Imaging 41:1242; arXiv 2102.01284, where it is called multi-weighted focal
loss).

Three weights in one: of the class, of the difficulty (the focal factor), and a limit on the
cross-entropy of samples so wrong that their label is doubted. Its schedule, which raises the class
weights late in training, is not part of it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.label_means import mean_over_occurring, mean_over_rows
from edgekd.distill.losses.lin2017 import binary_focal_terms
from edgekd.distill.losses.precision import full_precision

__all__ = ["multi_weighted_binary_focal_loss", "multi_weighted_focal_loss"]


@full_precision
def multi_weighted_focal_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    gamma: float = 2.0,
    beta: float = 0.1,
    shares: Tensor | None = None,
) -> Tensor:
    """Σ_i w_y Σ_k (1 − p_ik)^γ·min(−log p_ik, −log β) / Σ_i w_y over the batch.

    p_ik is the confidence in the right answer to "is image i of class k?", by the sigmoid of its
    logit. It is K times the released code's `MWNLoss` of type `fix` with `SIGMOID: normal`, which
    divides by the number of classes K too (`enlarge`: the unnormalised mean, times 30); a sum over
    the classes keeps it in proportion to a softened loss beside it. 0 where no class of the batch
    has a weight.

    Args:
        logits: [B, K].
        targets: y, class indices [B].
        weights: w of each class [K].
        gamma: γ ≥ 0; 2 in the released code.
        beta: β of 0 … 1, the confidence below which a sample's cross-entropy rises no further; 0.1
            in the released code, 0 sets no limit.
        shares: What each row counts [B]; None where all count the same.
    """
    present = F.one_hot(targets, logits.shape[1])
    losses = binary_focal_terms(logits, present, gamma, _limit(beta)).sum(dim=1)
    if weights is not None:
        losses = weights.to(losses.dtype)[targets] * losses
    return mean_over_occurring(losses, targets, weights, shares)


@full_precision
def multi_weighted_binary_focal_loss(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    gamma: float = 2.0,
    beta: float = 0.1,
    shares: Tensor | None = None,
) -> Tensor:
    """The same of findings: `binary_focal_loss` with the limit −log β on the cross-entropy.

    Args:
        logits: [B, K].
        targets: 0 or 1, [B, K].
        weights: Weight of each finding where it is present [K].
        gamma: γ ≥ 0.
        beta: β of 0 … 1; 0 sets no limit.
        shares: What each row counts [B]; None where all count the same.
    """
    losses = binary_focal_terms(logits, targets, gamma, _limit(beta))
    if weights is not None:
        losses = torch.where(targets > 0.5, weights.to(losses.dtype), 1.0) * losses
    return mean_over_rows(losses, shares)


def _limit(beta: float) -> float | None:
    return -math.log(beta) if beta else None
