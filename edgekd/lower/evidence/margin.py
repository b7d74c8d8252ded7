"""Thresholds between the values of two images, so that rounding changes no decision.

A fitted threshold equals the value of some image. The same file on another engine or processor
gives that image another last digit, and possibly another decision. Half-way to the neighbouring
value, every decision on the fitting images is the same and none depends on the last digit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["half_way_down", "half_way_up"]


def half_way_down(threshold: float, values: NDArray[np.float64]) -> float:
    """Between the threshold and the next smaller of the values; the threshold where there is none.

    For a rule that holds from the threshold on.
    """
    smaller = values[values < threshold]
    if not smaller.size:
        return threshold
    middle = float(threshold + smaller.max()) / 2
    return middle if middle > smaller.max() else threshold  # neighbours may be adjacent floats


def half_way_up(threshold: float, values: NDArray[np.float64]) -> float:
    """Between the threshold and the next larger of the values; the threshold where there is none.

    For a rule that holds up to the threshold.
    """
    larger = values[values > threshold]
    if not larger.size:
        return threshold
    middle = float(threshold + larger.min()) / 2
    return middle if middle < larger.min() else threshold
