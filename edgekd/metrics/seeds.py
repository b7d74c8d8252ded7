"""A statistic of two methods compared, each trained with several seeds.

Two things vary between repetitions of a comparison: the training (another seed) and the test
images. A bootstrap over images alone covers only the second, and mistakes a lucky seed for a better
method.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, Integers
from edgekd.metrics.difference import Statistic
from edgekd.metrics.intervals import Interval

__all__ = ["LEAST_SEEDS", "seeds_difference"]

LEAST_SEEDS = 2
"""Fewest seeds of each method: one training does not show the variation between trainings."""

_CONFIDENCE = 0.95
_STEP = 1e-5  # of the one-sided derivative, in images


def seeds_difference(
    statistic: Statistic,
    first: Integers,
    second: Integers,
    targets: Integers,
    classes: int,
    *,
    groups: Integers | None = None,
    family: int = 1,
    largest: float = 1.0,
) -> Interval:
    """The statistic of `second` minus that of `first`, means over seeds, with a 95 % interval.

    The design is that of a reader study in which every reader reads all cases by one method alone:
    seeds are the readers, nested in the method, and images the cases, crossed with both. With v
    the variance of the statistic over the seeds of a method on the images at hand, n its seeds,
    and c the covariance over images of two seeds (Obuchowski & Rockette 1995, Commun. Stat. Simul.
    24:285; nested readers: Hillis 2014, Stat. Med. 33:330), the variance of the difference is

        v₁ / n₁ + v₂ / n₂ + max(0, c₁₁ + c₂₂ − 2 c₁₂)

    The first two terms are Welch's and cover the variation between seeds; the last one is the
    variance of the methods' difference over images, beyond that of their seeds. Degrees of freedom
    are Satterthwaite's. The variances v are not pooled. Each is at least the variance implied by
    the decisions that change between seeds, taken image by image, because the values of three
    seeds for a class with few images may agree by chance. The covariances are those of the
    statistic linearised at each seed's confusion matrix, with images drawn by group within class
    (Binder 1983, Int. Stat. Rev. 51:279).

    The intervals of a family hold simultaneously: the critical value is that of the maximum of
    `family` independent |t|, which correlation can only make smaller (Šidák 1967, J. Am. Stat.
    Assoc. 62:626). An interval does not cover other training images or another teacher.

    Args:
        statistic: A function of confusion matrices that does not depend on their scale.
        first: Decided classes [seeds, N].
        second: Decided classes of the second method [seeds, N]; the number of seeds may differ.
        targets: Class indices [N].
        classes: K.
        groups: Lesion or patient of each image [N], as numbers; by default images are independent.
        family: Number of intervals that hold simultaneously.
        largest: Largest possible difference, which bounds do not exceed. 1 for a statistic of
            0…1, 2 for one of −1…1.

    Returns:
        No value where the statistic is undefined. No bounds with a single seed of either method,
        where a class that the statistic depends on has a single group, or where nothing varies.

    Raises:
        InputError: There are not as many groups as images.
    """
    if not targets.size:
        return Interval(None)
    methods = [_Method.of(statistic, each, targets, classes) for each in (first, second)]
    value = float(methods[1].scores.mean() - methods[0].scores.mean())
    if not np.isfinite(value):
        return Interval(None)
    if min(len(method.scores) for method in methods) < LEAST_SEEDS:
        return Interval(value)
    drawn = _Draw.of(targets, np.arange(targets.size) if groups is None else groups)
    half = _half_width(methods, drawn, family)
    if half is None:
        return Interval(value)
    return Interval(value, max(value - half, -largest), min(value + half, largest))


class _Method(NamedTuple):
    """One method: its scores and how they depend on the images.

    Attributes:
        scores: The statistic of each seed [S].
        influences: First-order influence of each image on the statistic [S, N].
        counts: Whether the statistic depends on the images of each class [K].
    """

    scores: Floats
    influences: Floats
    counts: NDArray[np.bool_]

    @classmethod
    def of(
        cls, statistic: Statistic, decided: Integers, targets: Integers, classes: int
    ) -> _Method:
        cells = targets * classes + decided
        counts = np.stack([np.bincount(each, minlength=classes**2) for each in cells])
        confusions: Floats = counts.reshape(-1, classes, classes).astype(np.float64)
        scores = np.asarray(statistic(confusions))
        slopes = np.empty_like(confusions)
        for row in range(classes):  # all at once would be K⁴ numbers
            moved = np.repeat(confusions[:, None], classes, axis=1)
            moved[:, np.arange(classes), row, np.arange(classes)] += _STEP
            slopes[:, row] = (np.asarray(statistic(moved)) - scores[:, None]) / _STEP
        influences = np.take_along_axis(slopes.reshape(len(slopes), -1), cells, axis=1)
        largest = np.abs(slopes).max(axis=(0, 2))
        return cls(scores, influences, largest * targets.size > 1e-6)


class _Draw(NamedTuple):
    """How images are drawn: whole groups, within the class that most of a group's images have.

    Attributes:
        group_of: Number of the group of each image [N].
        class_of: Class of each group [G].
    """

    group_of: Integers
    class_of: Integers

    @classmethod
    def of(cls, targets: Integers, groups: Integers) -> _Draw:
        if groups.shape != targets.shape:
            message = f"{groups.size} groups and {targets.size} images do not fit together"
            raise InputError(message, "give each image its group")
        _, group_of = np.unique(groups, return_inverse=True)
        votes = np.zeros((group_of.max() + 1, targets.max() + 1), np.int64)
        np.add.at(votes, (group_of, targets), 1)
        return cls(group_of, votes.argmax(axis=1))

    def sums(self, influences: Floats) -> Floats:
        """Influences of groups [S, G], the sums of those of their images [S, N]."""
        sums = np.zeros((len(influences), self.class_of.size))
        for own, each in zip(sums, influences, strict=True):
            own += np.bincount(self.group_of, weights=each, minlength=own.size)
        return sums

    def within_class(self, sums: Floats) -> Floats:
        """The sums [S, G] centred by class and scaled, so that products of rows are covariances."""
        scaled = np.empty_like(sums)
        for index in np.unique(self.class_of):
            own = self.class_of == index
            size = int(own.sum())
            centred = sums[:, own] - sums[:, own].mean(axis=1, keepdims=True)
            scaled[:, own] = centred * np.sqrt(size / max(size - 1, 1))
        return scaled


def _half_width(methods: list[_Method], drawn: _Draw, family: int) -> float | None:
    counted = methods[0].counts | methods[1].counts
    sizes = np.bincount(drawn.class_of, minlength=counted.size)[counted]
    if (sizes[sizes > 0] < 2).any():
        return None
    sums = [drawn.sums(method.influences) for method in methods]
    terms = [_seed_variance(method.scores, s) for method, s in zip(methods, sums, strict=True)]
    terms.append(_image_variance(*map(drawn.within_class, sums)))
    freedom = [*(len(method.scores) - 1 for method in methods), sizes.sum() - (sizes > 0).sum()]
    variance = sum(terms)
    if variance <= 0.0:
        return None
    satterthwaite = variance**2 / sum(t**2 / df for t, df in zip(terms, freedom, strict=True))
    return _critical(satterthwaite, family) * float(np.sqrt(variance))


def _seed_variance(scores: Floats, sums: Floats) -> float:
    """Variance of the mean over the seeds, by the larger of both estimates of v."""
    least = sums.var(axis=0, ddof=1).sum()
    return float(max(scores.var(ddof=1), least)) / len(scores)


def _image_variance(first: Floats, second: Floats) -> float:
    """Variance over images of the difference between the methods' means over seeds, at least 0."""
    within = _between_seeds(first) + _between_seeds(second)
    return max(0.0, within - 2 * float((first @ second.T).mean()))


def _between_seeds(scaled: Floats) -> float:
    """Mean covariance over images of two different seeds of a method."""
    products = scaled @ scaled.T
    seeds = len(products)
    return float((products.sum() - np.trace(products)) / (seeds * (seeds - 1)))


def _critical(freedom: float, family: int) -> float:
    from scipy.special import stdtrit  # on the host only, and slow to import

    return float(stdtrit(freedom, (1 + _CONFIDENCE ** (1 / family)) / 2))
