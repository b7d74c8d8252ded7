"""Bounds of a loss from exact bounds of proportions; they hold for few losses, or none.

A loss is a weighted mean over independent units: an image, or all images of one lesion or patient.
The share that was lost and the share that was gained get one-sided bounds after Clopper and Pearson
1934; their difference is bounded by the method of variance estimates recovery (MOVER; Zou, Donner
2008) with the correlation of two cells of one multinomial (Newcombe 1998). Without gains that is
the exact bound. Where weights of units differ, the number of images is replaced by the effective
number that mean and variance of the sum imply (Kish 1965; Korn, Graubard 1998, for proportions in
surveys). The weight of a loss that was not observed is taken from Tiwari, Clegg, Zou 2006,
"Efficient interval estimation for age-adjusted cancer rates".
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from edgekd.metrics.classification import Floats

__all__ = ["LEVEL", "TWO_SIDED", "beta_quantile", "effective_images", "least_images", "loss_bounds"]

LEVEL = 0.95
"""Level of a one-sided bound: a true loss at the limit is missed one time in twenty."""

TWO_SIDED = 0.975
"""Level of each bound of a two-sided 95 % interval."""

_STEPS = 80
"""Steps of the bisection: more than a float64 has bits."""


def least_images(limit: float, level: float = LEVEL) -> int:
    """Number of independent images, none of them lost, that excludes a loss of `limit`.

    The exact bound of 0 of n, 1 − (1 − level)^(1/n), is then not above the limit: 59 images for
    0.05, 29 for 0.10, 19 for 0.15.
    """
    if limit >= 1.0:
        return 0
    # Rounding must not require one image more where the bound equals the limit.
    return math.ceil(round(math.log(1 - level) / math.log1p(-limit), 6))


def effective_images(bound: float, level: float = LEVEL) -> float:
    """The number of independent images whose exact bound is `bound` where none is lost."""
    return math.log(1 - level) / math.log1p(-bound) if 0 < bound < 1 else 0.0


def loss_bounds(losses: Floats, weights: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Lower and upper one-sided bound of a loss, each at `level`.

    Args:
        losses: Loss of each of U independent units [U], at most its weight; negative for a gain.
        weights: Weight of each unit [U]; their sum is 1.
        level: Level of each bound; both together form an interval of level 2 level − 1.

    Returns:
        Bounds between −1 and 1. Losses that were not observed are assumed to spread like the
        weights: a loss that affects only a few heavy units, at random, may exceed the upper bound
        with a probability above 1 − level.
    """
    lost, gained = np.maximum(losses, 0.0), np.maximum(-losses, 0.0)
    return -_upper(gained, lost, weights, level), _upper(lost, gained, weights, level)


def _upper(lost: Floats, gained: Floats, weights: Floats, level: float) -> float:
    p, q = min(1.0, float(lost.sum())), min(1.0, float(gained.sum()))
    above = _upper_share(p, lost, weights, level) - p
    below = q - _lower_share(q, gained, level)
    # Two cells of one multinomial: a lost image cannot be a gained one.
    correlation = math.sqrt(p * q / ((1 - p) * (1 - q))) if p < 1 and q < 1 else 0.0
    width = math.sqrt(above**2 + below**2 + 2 * min(1.0, correlation) * above * below)
    return max(-1.0, min(1.0, p - q + width))


def _upper_share(share: float, parts: Floats, weights: Floats, level: float) -> float:
    """Clopper and Pearson's upper bound; one loss of mean weight is added to those observed.

    For equal weights 1/n that is Beta(lost + 1, n − lost).
    """
    squares = weights**2
    # Mean and mean square of the weight of an image's unit.
    mean = share + float(squares.sum())
    square = float((parts**2).sum()) + float((squares * weights).sum())
    n = mean / square
    return beta_quantile(level, mean * n, 1 + (1 - mean) * n)


def _lower_share(share: float, parts: Floats, level: float) -> float:
    """Clopper and Pearson's lower bound: Beta(gained, n − gained + 1) for equal weights."""
    if share <= 0:
        return 0.0
    n = share / float((parts**2).sum())
    return beta_quantile(1 - level, share * n, 1 + (1 - share) * n)


# ---- the beta distribution, since boards that gate their own engine have no SciPy ----


def beta_quantile(level: float, a: float, b: float) -> float:
    """The quantile of the beta distribution with the parameters `a` and `b`.

    Args:
        level: Between 0 and 1.
        a: Above 0.
        b: 0 or less puts the whole distribution at 1: every image was lost.
    """
    if b <= 1e-9:
        return 1.0
    # Cached, since counts recur; they are rounded, as their sums may differ in the last bit.
    return _quantile(level, *(float(f"{value:.11g}") for value in (a, b)))


@lru_cache(maxsize=65536)
def _quantile(level: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _beta_share(middle, a, b) < level:
            low = middle
        else:
            high = middle
    return high


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges faster
        return 1 - _beta_share(1 - x, b, a)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    return front / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 8.17.22 of NIST's Digital Library of Mathematical Functions.

    By the modified method of Lentz (Thompson, Barnett 1986).
    """
    tiny = 1e-300
    value = ratio = 1.0
    inverse = 0.0
    for m in range(1, 10_000):
        half = m // 2
        if m % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        inverse = 1 / ((1 + term * inverse) or tiny)
        ratio = (1 + term / ratio) or tiny
        value *= inverse * ratio
        if abs(inverse * ratio - 1) < 1e-14:
            break
    return value
