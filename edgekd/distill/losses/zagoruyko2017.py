"""Attention transfer: Zagoruyko, Komodakis 2017, "Paying More Attention to Attention" (ICLR;
arXiv 1612.03928).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["attention_map", "attention_transfer"]


@full_precision
def attention_map(features: Tensor) -> Tensor:
    """Mean of the squared activations over the channels, normalised over the positions.

    Args:
        features: [B, C, H, W].

    Returns:
        [B, H·W]; zero for a map of zeros.
    """
    return F.normalize(features.square().mean(dim=1).flatten(1), dim=1)


@full_precision
def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the attention maps (section 3.1, p = 2, as in the released code).

    The larger map is pooled to the smaller one's size. A map of one position carries no attention:
    the loss is 0.

    Args:
        student: Map [B, C, H, W].
        teacher: Map [B, C′, H′, W′]; no gradient flows to it.
    """
    height, width = (min(student.shape[axis], teacher.shape[axis]) for axis in (2, 3))
    attention, target = (
        attention_map(F.adaptive_avg_pool2d(features, (height, width)))
        for features in (student, teacher.detach())
    )
    return F.mse_loss(attention, target)
