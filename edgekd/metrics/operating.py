"""Operating thresholds of classes, and the band of top probabilities that are referred.

Both are order statistics of the images they are fitted on, without interpolation: the same images
give the same threshold, and the sensitivity or coverage that it reaches on them is a count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, Integers, checked, top_class
from edgekd.metrics.intervals import wilson
from edgekd.metrics.summary import Estimate

__all__ = [
    "MIN_CLASS_IMAGES",
    "OperatingPoint",
    "ReferBand",
    "operating_point",
    "refer_band_for_coverage",
    "refer_band_for_sensitivity",
]

MIN_CLASS_IMAGES = 20
"""Fewest images of a class that a threshold can be fitted on."""


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The operating threshold of one class, with its sensitivity, specificity and referrals.

    Attributes:
        threshold: The class cannot be excluded from this probability on; None without evidence.
        requested: The required sensitivity.
        n: Number of images of the class.
        sensitivity: Share of them that reach the threshold; above the requested one only because
            images are whole and may tie.
        specificity: Share of the other classes' images that stay below the threshold.
        referred: Share of all images that reach the threshold while another class is the top
            one: those that the decision refers because of it.
        reason: Why there is no threshold, or None.
    """

    threshold: float | None
    requested: float
    n: int
    sensitivity: Estimate
    specificity: Estimate
    referred: Estimate
    reason: str | None = None


class ReferBand(msgspec.Struct, frozen=True, kw_only=True):
    """The top probability below which the device refers, and the share that it answers.

    Attributes:
        refer_below: The threshold. None without a `reason`: every image is answered; None with a
            `reason`: no threshold meets the requirement.
        requested: The required coverage or sensitivity.
        coverage: Share of the images that are answered with this threshold; 1 without one.
        sensitivity: Share of the answered images of a class that are right, by class name; only
            where a sensitivity is required.
        reason: Why the requirement cannot be met, or None.
    """

    refer_below: float | None
    requested: float
    coverage: Estimate
    sensitivity: dict[str, Estimate] = {}
    reason: str | None = None


def operating_point(
    probabilities: ArrayLike,
    targets: ArrayLike,
    index: int,
    sensitivity: float,
    *,
    min_images: int = MIN_CLASS_IMAGES,
) -> OperatingPoint:
    """The largest threshold that at least a share `sensitivity` of a class's images reach.

    With n images of the class it is the ⌈sensitivity · n⌉-th largest of their probabilities.
    That holds on these images. A new image of the class reaches it with a probability of
    ⌈sensitivity · n⌉ / (n + 1), on average over the images that might have been drawn: 0.905 for
    a request of 0.95 on 20 images, 0.941 on 100.

    Args:
        probabilities: [N, K], at the temperature that the device uses.
        targets: Class indices [N].
        index: The class.
        sensitivity: In (0, 1].
        min_images: Fewer images of the class give no threshold.

    Raises:
        InputError: There is no such class, the sensitivity is out of range, values are not
            probabilities, or see `edgekd.metrics.classification.checked`.
    """
    shares, labels = checked_probabilities(probabilities, targets)
    if not 0 <= index < shares.shape[1]:
        message = f"class {index} is none of {shares.shape[1]}"
        raise InputError(message, "give the index of a class")
    positive, scores = labels == index, shares[:, index]
    n = int(positive.sum())
    needed = count_for(sensitivity, n)
    if n < max(1, min_images):
        return _no_point(sensitivity, n, f"{n} images are fewer than {max(1, min_images)}")
    threshold = float(np.sort(scores[positive])[n - needed])
    reached = scores >= threshold
    return OperatingPoint(
        threshold=threshold,
        requested=sensitivity,
        n=n,
        sensitivity=_share(reached[positive]),
        specificity=_share(~reached[~positive]),
        referred=_share(reached & (top_class(shares) != index)),
    )


def refer_band_for_coverage(probabilities: ArrayLike, coverage: float) -> ReferBand:
    """The largest threshold that answers at least a share `coverage` of the images.

    It is the ⌈coverage · N⌉-th largest top probability; images that tie with it are answered
    too. A coverage of 1 needs no band.

    Args:
        probabilities: [N, K], at the temperature that the device uses.
        coverage: In (0, 1].

    Raises:
        InputError: The coverage is out of range, or values are not probabilities.
    """
    anything = np.zeros(np.shape(probabilities)[:1], np.int64)
    shares, _ = checked_probabilities(probabilities, anything)
    tops = np.sort(shares.max(axis=1))
    needed = count_for(coverage, tops.size)
    lowest = float(tops[tops.size - needed]) if tops.size else 0.0
    answered = tops >= lowest
    return ReferBand(
        refer_below=None if answered.all() else lowest,
        requested=coverage,
        coverage=_share(answered),
        reason=None if tops.size else "there are no images",
    )


def refer_band_for_sensitivity(
    probabilities: ArrayLike,
    targets: ArrayLike,
    classes: Mapping[str, int],
    sensitivity: float,
    *,
    min_images: int = MIN_CLASS_IMAGES,
) -> ReferBand:
    """The smallest threshold at which each named class has a sensitivity on answered images.

    The sensitivity of a class is that of its answered images, whose top probability is at least
    the threshold: right ones divided by answered ones. A confident mistake is answered at any
    threshold, so not every requirement can be met. The threshold is chosen on these very images,
    so the sensitivity on new images is lower. Other rules of the decision (thresholds of classes)
    are ignored.

    Args:
        probabilities: [N, K], at the temperature that the device uses.
        targets: Class indices [N].
        classes: Index by name of the classes that must reach the sensitivity; at least one.
        sensitivity: In (0, 1].
        min_images: Least number of answered images of each named class.

    Raises:
        InputError: There is no such class, the sensitivity is out of range, values are not
            probabilities, or see `edgekd.metrics.classification.checked`.
    """
    shares, labels = checked_probabilities(probabilities, targets)
    if not classes or not all(0 <= index < shares.shape[1] for index in classes.values()):
        message = f"{dict(classes)} are not classes of {shares.shape[1]}"
        raise InputError(message, "name one class or more, each with its index")
    count_for(sensitivity, 1)  # refuse a sensitivity out of range, whatever the images
    least = max(1, min_images)
    tops, right = shares.max(axis=1), top_class(shares) == labels
    thresholds = np.unique(np.append(tops, 0.0))  # at 0 every image is answered
    own = [labels == index for index in classes.values()]
    answered = np.array([_reaching(tops[members], thresholds) for members in own])
    correct = np.array([_reaching(tops[members & right], thresholds) for members in own])
    at = _first_that_reaches(correct, answered, sensitivity, least)
    reason = None if at is not None else _why_not(classes, answered, sensitivity, least)
    threshold = float(thresholds[at]) if at else None
    pairs = zip(correct[:, at or 0].tolist(), answered[:, at or 0].tolist(), strict=True)
    return ReferBand(
        refer_below=threshold,
        requested=sensitivity,
        coverage=_share(tops >= (threshold or 0.0)),
        sensitivity={name: _estimate(*pair) for name, pair in zip(classes, pairs, strict=True)},
        reason=reason,
    )


def checked_probabilities(probabilities: ArrayLike, targets: ArrayLike) -> tuple[Floats, Integers]:
    """Probabilities as float64 [N, K] and targets as int64 [N].

    Raises:
        InputError: A value lies outside of 0..1, or see `edgekd.metrics.classification.checked`.
    """
    shares, labels = checked(probabilities, targets)
    if shares.size and not 0.0 <= shares.min() <= shares.max() <= 1.0:
        message = f"values from {shares.min():.3g} to {shares.max():.3g} are no probabilities"
        raise InputError(message, "give the softmax of the logits")
    return shares, labels


def count_for(share: float, n: int) -> int:
    """The least number out of `n` that is at least the share: ⌈share · n⌉, exactly.

    The share is taken as its decimal text, since 0.55 · 100 is more than 55 in floating point and
    would require one image too many.

    Raises:
        InputError: The share does not lie in (0, 1].
    """
    if not 0.0 < share <= 1.0:
        message = f"a share of {share} is impossible"
        raise InputError(message, "give more than 0 and at most 1")
    return math.ceil(Fraction(repr(float(share))) * n)


def _reaching(scores: Floats, thresholds: Floats) -> Integers:
    """How many scores reach each of the thresholds."""
    return np.asarray(scores.size - np.searchsorted(np.sort(scores), thresholds, side="left"))


def _first_that_reaches(
    correct: Integers, answered: Integers, sensitivity: float, least: int
) -> int | None:
    """First column of counts [classes, thresholds] with enough images and enough of them right."""
    for at in np.flatnonzero((answered >= least).all(axis=0)).tolist():
        pairs = zip(correct[:, at].tolist(), answered[:, at].tolist(), strict=True)
        if all(right >= count_for(sensitivity, n) for right, n in pairs):
            return int(at)
    return None


def _why_not(classes: Mapping[str, int], answered: Integers, sensitivity: float, least: int) -> str:
    counts = dict(zip(classes, answered[:, 0].tolist(), strict=True))
    short = [f"{n} images of {name}" for name, n in counts.items() if n < least]
    if short:
        return f"{' and '.join(short)} are fewer than {least}"
    names = ", ".join(classes)
    return f"no threshold that keeps {least} images brings {names} to {sensitivity:g}"


def _no_point(requested: float, n: int, reason: str) -> OperatingPoint:
    nothing = Estimate(value=None)
    return OperatingPoint(
        threshold=None,
        requested=requested,
        n=n,
        sensitivity=nothing,
        specificity=nothing,
        referred=nothing,
        reason=reason,
    )


def _share(flags: NDArray[np.bool_]) -> Estimate:
    return _estimate(int(flags.sum()), flags.size)


def _estimate(successes: int, n: int) -> Estimate:
    return Estimate(**wilson(successes, n)._asdict())
