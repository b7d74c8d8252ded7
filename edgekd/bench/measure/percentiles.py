"""Percentiles by nearest rank: each is one of the samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["nearest_rank", "rank"]


def nearest_rank(ordered: NDArray[np.float64], share: float) -> float:
    """The smallest sample that at least `share` of the (ascending) samples do not exceed."""
    return float(ordered[rank(ordered.size, share) - 1])


def rank(n: int, share: float) -> int:
    """Rank of the percentile among n samples, from 1."""
    # A product such as 0.9 * 10 may be 9.000000000000002: rounding must not add a rank.
    return max(1, math.ceil(share * n - 1e-9))
