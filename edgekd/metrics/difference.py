"""Paired difference of a statistic between two sets of decisions on the same images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekd.metrics.classification import Floats, Integers
from edgekd.metrics.intervals import RESAMPLES, Interval, percentile_interval
from edgekd.metrics.resampling import Groups, counts, enough

__all__ = ["paired_difference"]

Statistic = Callable[[NDArray[np.generic]], Floats]
"""From confusion matrices [..., K, K] (true classes in rows) to values [...]."""


def paired_difference(
    statistic: Statistic,
    first: Integers,
    second: Integers,
    targets: Integers,
    classes: int,
    *,
    groups: Groups = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The statistic of `second` minus that of `first`, means over seeds, with a 95 % interval.

    Images are resampled within their class, each with all decisions on it, so that difficulty
    common to both cancels out. The interval does not include the variation between training seeds:
    to compare methods rather than files, use `edgekd.metrics.seeds.seeds_difference`.

    Args:
        statistic: A function of confusion matrices.
        first: Decided classes [seeds, N].
        second: Decided classes [seeds, N]; the number of seeds may differ.
        targets: Class indices [N].
        classes: K.
        groups: The lesion or patient of each image; groups are drawn, with all of their images.
        resamples: Number of bootstrap samples.
        seed: The same seed gives the same interval.

    Returns:
        No value where the statistic is undefined; no bounds where a class has a single image.
    """
    if not targets.size:
        return Interval(None)
    before, after = (_cells(decided, targets, classes) for decided in (first, second))

    def gain(counts: Floats) -> Floats:
        return _mean(statistic, counts, after) - _mean(statistic, counts, before)

    value = float(gain(np.ones((1, targets.size)))[0])
    if not np.isfinite(value):
        return Interval(None)
    if not enough(targets, groups):
        return Interval(value)
    blocks = counts(targets, resamples, seed, groups)
    return percentile_interval(value, np.concatenate([*map(gain, blocks)]))


def _cells(decided: Integers, targets: Integers, classes: int) -> Floats:
    """The cell of the confusion matrix that each decision falls into, one-hot [seeds, N, K²]."""
    cells = targets * classes + decided
    return np.asarray(cells[:, :, None] == np.arange(classes**2), np.float64)


def _mean(statistic: Statistic, counts: Floats, cells: Floats) -> Floats:
    """Mean over the seeds of the statistic where images occur `counts` [B, N] times, [B]."""
    classes = round(cells.shape[-1] ** 0.5)
    confusions = np.stack([counts @ one for one in cells]).reshape(
        len(cells), len(counts), classes, classes
    )
    return np.asarray(statistic(confusions).mean(axis=0))
