"""A statistic of two methods compared, each trained with several seeds.

Two things vary between repetitions of a comparison: the training (another seed) and the test
images. A bootstrap over images alone covers only the second, and mistakes a lucky seed for a better
method.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, Integers
from edgekd.metrics.difference import Statistic
from edgekd.metrics.influences import Influences, influences_of_areas, influences_of_decisions
from edgekd.metrics.intervals import Interval

__all__ = ["LEAST_SEEDS", "seeds_auroc_difference", "seeds_difference"]

LEAST_SEEDS = 2
"""Fewest seeds of each method: one training does not show the variation between trainings."""

_CONFIDENCE = 0.95


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
    methods = [
        influences_of_decisions(statistic, each, targets, classes) for each in (first, second)
    ]
    return _interval(methods, targets, groups, family, largest)


def seeds_auroc_difference(
    first: Floats,
    second: Floats,
    targets: Integers,
    *,
    of: int | None = None,
    folds: Integers | None = None,
    groups: Integers | None = None,
    family: int = 1,
) -> Interval:
    """The area under the ROC curve of `second` minus that of `first`, as `seeds_difference`.

    Each class stands against all others, and the areas are averaged. The area is what the design
    was made for (Obuchowski & Rockette 1995). It needs no decision, so that it tells methods apart
    that rank images differently, whatever their thresholds.

    Args:
        first: Probabilities [seeds, N, K].
        second: Probabilities of the second method [seeds, N, K]; the number of seeds may differ.
        targets: Class indices [N].
        of: The class whose area it is; by default the mean over the classes.
        folds: The cross-validation fold of each image [N], within which images are ranked; by
            default all were scored by one network for each seed.
        groups: Lesion or patient of each image [N], as numbers; by default images are independent.
        family: Number of intervals that hold simultaneously.

    Returns:
        As `seeds_difference`; no value where no class has both images and other images.

    Raises:
        InputError: There are not as many groups as images.
    """
    if not targets.size:
        return Interval(None)
    classes = tuple(range(first.shape[2])) if of is None else (of,)
    parts = np.zeros_like(targets) if folds is None else folds
    methods = [influences_of_areas(each, targets, classes, parts) for each in (first, second)]
    return _interval(methods, targets, groups, family, 1.0)


def _interval(
    methods: list[Influences],
    targets: Integers,
    groups: Integers | None,
    family: int,
    largest: float,
) -> Interval:
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


def _half_width(methods: list[Influences], drawn: _Draw, family: int) -> float | None:
    counted = methods[0].counts | methods[1].counts
    sizes = np.bincount(drawn.class_of, minlength=counted.size)[counted]
    if (sizes[sizes > 0] < 2).any():
        return None
    sums = [drawn.sums(method.of_images) for method in methods]
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
