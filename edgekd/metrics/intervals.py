"""95 % intervals: Wilson for proportions, a seeded bootstrap for everything else.

The bootstrap draws images with replacement within each class, so that no class disappears from
a sample. It takes images as independent: where one lesion has several images, the intervals are
too narrow by what those images have in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from edgekd.errors import InputError
from edgekd.metrics.classification import (
    Floats,
    Integers,
    auroc_of,
    balanced_accuracy,
    balanced_accuracy_of,
    calibration_gaps,
    checked,
    expected_calibration_error,
    macro_auroc,
    macro_f1,
    macro_f1_of,
    quadratic_kappa,
    quadratic_kappa_of,
    softmax,
    top_class,
)

__all__ = [
    "RESAMPLES",
    "BootstrapIntervals",
    "Interval",
    "balanced_accuracy_difference",
    "bootstrap_intervals",
    "recall_difference",
    "wilson",
]

RESAMPLES = 1000
_Z95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution
_BLOCK_CELLS = 2_000_000  # resamples by images held at once: 16 MB


class Interval(NamedTuple):
    """A value with its 95 % interval; None for what the images cannot tell."""

    value: float | None
    low: float | None = None
    high: float | None = None


class BootstrapIntervals(NamedTuple):
    """The metrics whose interval comes from the bootstrap."""

    balanced_accuracy: Interval
    macro_f1: Interval
    macro_auroc: Interval
    ece: Interval
    quadratic_kappa: Interval


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval for a proportion (Wilson 1927; Brown, Cai, DasGupta 2001).

    No value for n = 0; a value without bounds for n = 1, since one image says nothing.

    Raises:
        InputError: `successes` does not lie between 0 and `n`.
    """
    if not 0 <= successes <= n:
        message = f"{successes} successes of {n} trials are impossible"
        raise InputError(message, "give 0 <= successes <= n")
    if n == 0:
        return Interval(None)
    share = successes / n
    if n < 2:
        return Interval(share)
    scale = 1 + _Z95**2 / n
    centre = (share + _Z95**2 / (2 * n)) / scale
    half = _Z95 * math.sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2)) / scale
    # Rounding must not push a bound past the value at 0 and 1.
    return Interval(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def bootstrap_intervals(
    logits: ArrayLike, targets: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> BootstrapIntervals:
    """Percentile intervals of the metrics that are no proportion.

    Args:
        logits: [N, K], divided by the temperature already where ECE shall mean the device's.
        targets: Class indices [N].
        resamples: Number of bootstrap samples.
        seed: The same seed gives the same intervals.

    Returns:
        Values with bounds. Bounds are None as soon as one class that occurs has a single image:
        drawing within it gives that same image each time, and an interval that is too narrow.

    Raises:
        InputError: See `edgekd.metrics.classification.checked`.
    """
    scores, labels = checked(logits, targets)
    values = (
        balanced_accuracy(scores, labels),
        macro_f1(scores, labels),
        macro_auroc(scores, labels),
        expected_calibration_error(scores, labels),
        quadratic_kappa(scores, labels),
    )
    if not _enough(labels):
        return BootstrapIntervals(*(Interval(value) for value in values))
    samples = _resampled_metrics(scores, labels, resamples, seed)
    pairs = zip(values, samples, strict=True)
    recall, f1, auroc, ece, kappa = (_percentiles(value, sample) for value, sample in pairs)
    return BootstrapIntervals(recall, f1, auroc, _shifted(ece, samples[3]), kappa)


def balanced_accuracy_difference(
    first: ArrayLike,
    second: ArrayLike,
    targets: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Balanced accuracy of `second` minus that of `first` on the same images.

    Paired: both are resampled with the same images, so what is hard for both cancels out.

    Args:
        first: Logits [N, K], the teacher's as a rule.
        second: Logits [N, K].
        targets: Class indices [N].
        resamples: Number of bootstrap samples.
        seed: The same seed gives the same interval.

    Raises:
        InputError: See `edgekd.metrics.classification.checked`.
    """
    first_scores, labels = checked(first, targets)
    second_scores, _ = checked(second, targets)
    correct = (top_class(second_scores) == labels).astype(np.float64)
    gain = correct - (top_class(first_scores) == labels)
    return recall_difference(gain, labels, resamples=resamples, seed=seed)


def recall_difference(
    gain: ArrayLike, targets: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Mean over the classes of the mean gain of their images, with a bootstrap over images.

    Args:
        gain: What each image gains [N], correct (1) minus correct before (1); means over several
            training seeds are allowed.
        targets: Class indices [N].
        resamples: Number of bootstrap samples, stratified by class.
        seed: The same seed gives the same interval.
    """
    gains, labels = np.asarray(gain, np.float64), np.asarray(targets, np.int64)
    if not labels.size:
        return Interval(None)
    classes, inverse, support = np.unique(labels, return_inverse=True, return_counts=True)
    # Each class weighs the same: an image weighs one over the images of its class.
    weighted = gains / (support[inverse] * classes.size)
    value = float(weighted.sum())
    if not _enough(labels):
        return Interval(value)
    sample = np.concatenate([block @ weighted for block in _counts(labels, resamples, seed)])
    return _percentiles(value, sample)


def _resampled_metrics(
    scores: Floats, labels: Integers, resamples: int, seed: int
) -> tuple[Floats, Floats, Floats | None, Floats, Floats]:
    """Balanced accuracy, F1, AUROC, ECE, quadratic kappa, each [resamples]."""
    size = scores.shape[1]
    cells = np.zeros((labels.size, size * size))
    cells[np.arange(labels.size), labels * size + top_class(scores)] = 1.0
    gaps = calibration_gaps(scores, labels)
    probabilities = softmax(scores)
    confusions, errors, areas = [], [], []
    for block in _counts(labels, resamples, seed):
        confusions.append((block @ cells).reshape(-1, size, size))
        errors.append(np.abs(block @ gaps).sum(axis=1) / labels.size)
        areas.append(auroc_of(probabilities, labels, block))
    matrices = np.concatenate(confusions)
    known = [area for area in areas if area is not None]
    return (
        balanced_accuracy_of(matrices),
        macro_f1_of(matrices),
        np.concatenate(known) if known else None,
        np.concatenate(errors),
        quadratic_kappa_of(matrices),
    )


def _counts(labels: Integers, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each image is drawn, in blocks [b, N]; stratified by class."""
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == index) for index in np.unique(labels)]
    height = max(1, min(resamples, _BLOCK_CELLS // labels.size))
    for start in range(0, resamples, height):
        rows = min(height, resamples - start)
        block = np.empty((rows, labels.size))
        for indices in members:
            block[:, indices] = _draw(generator, rows, indices.size)
        yield block


def _draw(generator: np.random.Generator, rows: int, n: int) -> Integers:
    """Counts [rows, n] of n draws with replacement from n images."""
    drawn = generator.integers(0, n, size=(rows, n))
    drawn += np.arange(rows)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.int64)


def _enough(labels: Integers) -> bool:
    return labels.size > 0 and bool(np.unique(labels, return_counts=True)[1].min() >= 2)


def _percentiles(value: float | None, sample: Floats | None) -> Interval:
    if value is None or sample is None:
        return Interval(value)
    low, high = np.percentile(sample, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _shifted(interval: Interval, sample: Floats) -> Interval:
    """The interval moved by the bootstrap's bias.

    A sum of absolute values grows with noise, and a resample is noisier than the data: without
    this the interval of a well calibrated model lies above its own ECE.
    """
    value, low, high = interval
    if value is None or low is None or high is None:
        return interval
    bias = float(sample.mean()) - value
    return Interval(value, max(0.0, min(low - bias, value)), min(1.0, max(high - bias, value)))
