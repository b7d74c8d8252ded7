"""Which expert teaches which image: Amara, Ziaeefard, Meyer, Gross, Clark 2022, "CES-KD:
Curriculum-based Expert Selection for Guided Knowledge Distillation" (ICPR; arXiv 2209.07606).

The paper's score of difficulty was not to be had; 1 − p of the true class by the largest expert is
ours, as are strata of equal size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["difficulty_of", "joined_strata", "strata_of"]


@full_precision
def difficulty_of(logits: Tensor, targets: Tensor) -> Tensor:
    """1 − p(true class) of each image [N], at temperature 1.

    Args:
        logits: Of the largest expert [N, K].
        targets: True classes [N].
    """
    return 1.0 - logits.softmax(dim=1)[torch.arange(len(targets), device=targets.device), targets]


def strata_of(difficulty: Tensor, levels: int) -> Tensor:
    """The stratum of each image, int64 [N]: equally many images in each, the easiest in 0.

    Images of equal difficulty keep their order.
    """
    ranks = torch.empty(len(difficulty), dtype=torch.int64)
    ranks[difficulty.cpu().argsort(stable=True)] = torch.arange(len(difficulty))
    return ranks * levels // max(len(difficulty), 1)


def joined_strata(epoch: int, length: float, levels: int) -> int:
    """Number of strata that the curriculum has reached: 1 at first, all from `length` epochs on.

    Args:
        epoch: Counted from 0.
        length: Epochs over which strata join, equally many for each.
        levels: Number of strata.
    """
    return levels if epoch >= length else 1 + int(epoch * levels / length)
