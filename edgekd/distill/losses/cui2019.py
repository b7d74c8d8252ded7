"""Effective numbers: Cui, Jia, Lin, Song, Belongie 2019, "Class-Balanced Loss Based on Effective
Number of Samples" (CVPR; arXiv 1901.05555).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["BETA", "effective_numbers"]

BETA = 0.9999


def effective_numbers(counts: Sequence[int], beta: float = BETA) -> Tensor:
    """(1 − βⁿ)/(1 − β) of each class (proposition 1): how many different images n images are worth.

    About n while n is far below 1/(1 − β), which it approaches.

    Args:
        counts: n, images of each class; a class without images counts as one.
        beta: β of 0 … 1.

    Returns:
        float64 [K].
    """
    n = torch.tensor(counts, dtype=torch.float64).clamp(min=1)
    return (1.0 - beta**n) / (1.0 - beta)
