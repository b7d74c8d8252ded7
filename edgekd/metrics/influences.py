"""How much each image weighs in a statistic: its first-order influence.

The influence of an image is the derivative of the statistic by the number of times that the image
occurs. Sums of squares of influences estimate variances over images, sums of products covariances
of two networks on the same images (the infinitesimal jackknife: Jaeckel 1972, Bell Laboratories
memorandum 72-1215-11; Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans,
chapter 6).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.metrics.classification import Floats, Integers
from edgekd.metrics.difference import Statistic

__all__ = ["Influences", "influences_of_areas", "influences_of_decisions"]

_STEP = 1e-5  # of the one-sided derivative, in images


class Influences(NamedTuple):
    """The statistic of one method's seeds, and how it depends on the images.

    Attributes:
        scores: The statistic of each seed [S].
        of_images: Influence of each image on it [S, N].
        counts: Whether the statistic depends on the images of each class [K].
    """

    scores: Floats
    of_images: Floats
    counts: NDArray[np.bool_]


def influences_of_decisions(
    statistic: Statistic, decided: Integers, targets: Integers, classes: int
) -> Influences:
    """Those of a statistic of confusion matrices, linearised at each seed's matrix.

    Args:
        statistic: A function of confusion matrices that does not depend on their scale.
        decided: Decided classes [S, N].
        targets: Class indices [N]; at least one.
        classes: K.
    """
    cells = targets * classes + decided
    counts = np.stack([np.bincount(each, minlength=classes**2) for each in cells])
    confusions: Floats = counts.reshape(-1, classes, classes).astype(np.float64)
    scores = np.asarray(statistic(confusions))
    slopes = np.empty_like(confusions)
    for row in range(classes):  # all at once would be K⁴ numbers
        moved = np.repeat(confusions[:, None], classes, axis=1)
        moved[:, np.arange(classes), row, np.arange(classes)] += _STEP
        slopes[:, row] = (np.asarray(statistic(moved)) - scores[:, None]) / _STEP
    of_images = np.take_along_axis(slopes.reshape(len(slopes), -1), cells, axis=1)
    largest = np.abs(slopes).max(axis=(0, 2))
    return Influences(scores, of_images, largest * targets.size > 1e-6)


def influences_of_areas(
    scores: Floats, targets: Integers, classes: tuple[int, ...], folds: Integers
) -> Influences:
    """Those of the area under the ROC curve, one class against all others, mean over classes.

    The influence of a positive image is the share of negatives that it stands above, less the area,
    divided by the number of positives; that of a negative alike: the structural components of
    DeLong et al. 1988, Biometrics 44:837. An area is that within a fold, and the mean is taken over
    folds, because scores of two networks are not on one scale.

    Args:
        scores: Probabilities, or other scores that rank the images by class [S, N, K].
        targets: Class indices [N].
        classes: Classes whose areas are averaged. One that a fold has no image of, or images of
            nothing else, is left out there.
        folds: The fold of each image [N].

    Returns:
        NaN as scores where no class has an area.
    """
    pairs = [
        (fold == folds, index)
        for fold in np.unique(folds)
        for index in classes
        if 0 < np.count_nonzero(targets[fold == folds] == index) < np.count_nonzero(fold == folds)
    ]
    areas, of_images = np.full((len(scores), len(pairs)), np.nan), np.zeros(scores.shape[:2])
    for number, (own, index) in enumerate(pairs):
        positive, negative = own & (targets == index), own & (targets != index)
        for seed, each in enumerate(scores[:, :, index]):
            above = _share_below(each[positive], each[negative])
            below = 1.0 - _share_below(each[negative], each[positive])
            area = above.mean()
            areas[seed, number] = area
            of_images[seed, positive] += (above - area) / above.size / len(pairs)
            of_images[seed, negative] += (below - area) / below.size / len(pairs)
    means = areas.mean(axis=1) if pairs else np.full(len(scores), np.nan)
    return Influences(means, of_images, np.ones(scores.shape[2], bool))


def _share_below(values: Floats, population: Floats) -> Floats:
    """Share of the population that is less than each value; equal ones count one half."""
    ordered = np.sort(population)
    left, right = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((left + right) / (2 * population.size))
