"""Gaps between the shares of subgroups, with intervals that hold for all of them together.

Whoever looks for the largest gap among many pairs of subgroups finds one by chance. The intervals
therefore hold simultaneously: with 95 % probability every one of them covers its true gap, so also
that of the pair that was chosen for being the largest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from edgekd.metrics.classification import Floats
from edgekd.metrics.exact import beta_quantile
from edgekd.metrics.intervals import Interval, effective_size
from edgekd.metrics.resampling import Groups

__all__ = ["Gap", "SubgroupShare", "largest_gap", "range_quantile", "share_of_subgroup"]

_LEVEL = 0.95
_GRID = np.linspace(-9.0, 9.0, 3601)
_STEPS = 60


@dataclass(frozen=True)
class SubgroupShare:
    """The share of flagged images of one subgroup.

    Attributes:
        name: Name of the subgroup.
        images: Number of its images.
        flagged: Number of them that are flagged.
        size: Number of independent images that determine the share as precisely.
    """

    name: str
    images: int
    flagged: int
    size: float

    @property
    def share(self) -> float:
        """Flagged images over images."""
        return self.flagged / self.images


@dataclass(frozen=True)
class Gap:
    """The difference between two subgroups of one family.

    Attributes:
        lower: The subgroup with the lower share.
        higher: The subgroup with the higher share.
        difference: Higher minus lower, with its simultaneous 95 % interval.
    """

    lower: SubgroupShare
    higher: SubgroupShare
    difference: Interval


def share_of_subgroup(name: str, flags: ArrayLike, groups: Groups = None) -> SubgroupShare:
    """The share of flagged images of a subgroup, from a flag and group for each image [n], n > 0.

    Groups (lesions or patients) are the independent units; see `effective_size`.
    """
    flagged = np.asarray(flags, np.bool_)
    size = effective_size(flagged, groups)
    return SubgroupShare(name, flagged.size, int(flagged.sum()), size)


def largest_gap(family: Sequence[SubgroupShare], families: int = 1) -> Gap | None:
    """The gap that the images show to be the largest: the one with the highest lower bound.

    Of gaps with equal lower bounds, it is the one with the largest difference. A pair of tiny
    subgroups, which differs most by chance, is therefore not chosen before one that is certain.

    Args:
        family: The subgroups of one attribute; all of their pairs are compared.
        families: Number of families that are searched together (attributes times measures); the
            intervals hold for all pairs of all of them.

    Returns:
        None with fewer than two subgroups.

    Each share has Clopper and Pearson's limits, on the effective number of images where groups
    are known (Korn & Graubard 1998, Surv. Methodol. 24:193); the difference of two shares combines
    them by the method of variance estimates recovery (Zou & Donner 2008, Stat. Med. 27:1693). The
    critical value is that of the range of k normal variables over √2, as for all pairs of k
    proportions (Piegorsch 1991, Biometrics 47:45; Agresti et al. 2008, Biometrics 64:1270), at the
    level 0.95^(1/families) (Šidák 1967, J. Am. Stat. Assoc. 62:626).
    """
    if len(family) < 2:
        return None
    critical = range_quantile(_LEVEL ** (1 / families), len(family)) / math.sqrt(2)
    level = _normal_share(critical)
    limits = {id(each): _limits(each, level) for each in family}
    gaps = [_gap(a, b, limits[id(a)], limits[id(b)]) for a, b in combinations(family, 2)]
    return max(gaps, key=lambda gap: (gap.difference.low or 0.0, gap.difference.value or 0.0))


def _gap(
    a: SubgroupShare,
    b: SubgroupShare,
    limits_a: tuple[float, float],
    limits_b: tuple[float, float],
) -> Gap:
    if a.share > b.share:
        a, b, limits_a, limits_b = b, a, limits_b, limits_a
    value = b.share - a.share
    below = math.hypot(b.share - limits_b[0], limits_a[1] - a.share)
    above = math.hypot(limits_b[1] - b.share, a.share - limits_a[0])
    return Gap(a, b, Interval(value, max(-1.0, value - below), min(1.0, value + above)))


def _limits(share: SubgroupShare, level: float) -> tuple[float, float]:
    """Clopper and Pearson's one-sided limits, each at `level`."""
    flagged = share.share * share.size
    rest = share.size - flagged
    low = beta_quantile(1 - level, flagged, rest + 1) if share.flagged else 0.0
    high = beta_quantile(level, flagged + 1, rest) if share.flagged < share.images else 1.0
    return low, high


@lru_cache(maxsize=256)
def range_quantile(level: float, k: int) -> float:
    """The quantile of the range (largest minus smallest) of k standard normal variables.

    It is that of the studentised range with infinite degrees of freedom (Tukey 1953): 2.772 for
    two variables and 3.314 for three at a level of 0.95.
    """
    low, high = 0.0, 20.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _range_share(middle, k) < level:
            low = middle
        else:
            high = middle
    return high


def _range_share(width: float, k: int) -> float:
    """Probability of a range of at most `width`: the smallest value integrated over."""
    density = np.exp(-np.square(_GRID) / 2) / math.sqrt(2 * math.pi)
    between = _normal_shares(_GRID + width) - _normal_shares(_GRID)
    return float(k * np.sum(density * between ** (k - 1)) * (_GRID[1] - _GRID[0]))


def _normal_shares(values: Floats) -> Floats:
    return np.array([_normal_share(value) for value in values.tolist()])


def _normal_share(value: float) -> float:
    return 0.5 * math.erfc(-value / math.sqrt(2))
