"""95 % intervals: Wilson for proportions, a seeded bootstrap for everything else.

Where the lesion or patient of each image is known, both take lesions or patients as independent
rather than images: see `edgekd.metrics.resampling` for the bootstrap and `share_interval` for
proportions.
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
from edgekd.metrics.resampling import Groups, counts, enough, group_codes

__all__ = [
    "RESAMPLES",
    "BootstrapIntervals",
    "Interval",
    "bias_corrected",
    "bootstrap_intervals",
    "effective_size",
    "percentile_interval",
    "recall_difference",
    "share_interval",
    "wilson",
]

RESAMPLES = 1000
_Z95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


class Interval(NamedTuple):
    """A value with its 95 % interval; None where the images do not determine it."""

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

    No value for n = 0; a value without bounds for n = 1.

    Raises:
        InputError: `successes` does not lie between 0 and `n`.
    """
    if not 0 <= successes <= n:
        message = f"{successes} successes of {n} trials are impossible"
        raise InputError(message, "give 0 <= successes <= n")
    if n == 0:
        return Interval(None)
    return _score_interval(successes / n, n)


def share_interval(flags: ArrayLike, groups: Groups = None) -> Interval:
    """Wilson's interval of the share of flagged images, some of which belong together.

    The number of images is divided by the design effect: the variance of the share over groups
    relative to that of independent images (Kish 1965; Korn, Graubard 1998). It is at least 1, and
    at most its value for identical images within each group, which is used where all images agree.

    Args:
        flags: True where an image counts [N].
        groups: The lesion or patient of each image.
    """
    flagged = np.asarray(flags, np.float64)
    n = flagged.size
    if groups is None or n == 0:
        return wilson(int(flagged.sum()), n)
    codes = group_codes(groups, n)
    sizes = np.bincount(codes)
    if sizes.size < 2:
        return Interval(float(flagged.mean()))
    return _score_interval(float(flagged.mean()), _effective(flagged, codes, sizes))


def effective_size(flags: ArrayLike, groups: Groups = None) -> float:
    """Number of independent images that would determine the share of flagged ones as precisely.

    It is that of `share_interval`; images of a single group count as one.

    Args:
        flags: True where an image counts [N].
        groups: The lesion or patient of each image.
    """
    flagged = np.asarray(flags, np.float64)
    n = flagged.size
    if groups is None or n == 0:
        return float(n)
    codes = group_codes(groups, n)
    sizes = np.bincount(codes)
    return _effective(flagged, codes, sizes) if sizes.size > 1 else 1.0


def _effective(flagged: Floats, codes: Integers, sizes: Integers) -> float:
    n, share = flagged.size, float(flagged.mean())
    least = n**2 / float((sizes**2).sum())
    off = np.bincount(codes, weights=flagged - share)
    variance = float((off**2).sum()) / n**2 * sizes.size / (sizes.size - 1)
    effective = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else 0.0
    return min(float(n), max(least, effective))


def _score_interval(share: float, n: float) -> Interval:
    if n < 2:
        return Interval(share)
    scale = 1 + _Z95**2 / n
    centre = (share + _Z95**2 / (2 * n)) / scale
    half = _Z95 * math.sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2)) / scale
    # Rounding must not push a bound past the value at 0 and 1.
    return Interval(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def bootstrap_intervals(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    groups: Groups = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> BootstrapIntervals:
    """Percentile intervals of the metrics that are not proportions.

    Args:
        logits: [N, K], already divided by the temperature to obtain the device's ECE.
        targets: Class indices [N].
        groups: The lesion or patient of each image; they are drawn, with all of their images.
        resamples: Number of bootstrap samples.
        seed: The same seed gives the same intervals.

    Returns:
        Values with bounds. Bounds are None as soon as one class that occurs has a single image or
        group: every draw would repeat it, and the interval would be too narrow.

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
    if not enough(labels, groups):
        return BootstrapIntervals(*(Interval(value) for value in values))
    samples = _resampled_metrics(scores, labels, counts(labels, resamples, seed, groups))
    pairs = zip(values, samples, strict=True)
    recall, f1, auroc, ece, kappa = (percentile_interval(value, sample) for value, sample in pairs)
    return BootstrapIntervals(recall, f1, auroc, bias_corrected(ece, samples[3]), kappa)


def recall_difference(
    gain: ArrayLike,
    targets: ArrayLike,
    *,
    groups: Groups = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Mean over the classes of the mean gain of their images, with a bootstrap over images.

    Args:
        gain: Gain of each image [N]: correct (1 or 0) minus correct before (1 or 0); means over
            several training seeds are allowed.
        targets: Class indices [N].
        groups: The lesion or patient of each image; they are drawn, with all of their images.
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
    if not enough(labels, groups):
        return Interval(value)
    # The sizes of the classes vary between samples, since a group may show several classes.
    one_hot = labels[:, None] == np.unique(labels)
    sample = np.concatenate(
        [
            ((block @ (gains[:, None] * one_hot)) / (block @ one_hot)).mean(axis=1)
            for block in counts(labels, resamples, seed, groups)
        ]
    )
    return percentile_interval(value, sample)


def _resampled_metrics(
    scores: Floats, labels: Integers, blocks: Iterator[Floats]
) -> tuple[Floats, Floats, Floats | None, Floats, Floats]:
    """Balanced accuracy, F1, AUROC, ECE, quadratic kappa, each [resamples]."""
    size = scores.shape[1]
    cells = np.zeros((labels.size, size * size))
    cells[np.arange(labels.size), labels * size + top_class(scores)] = 1.0
    gaps = calibration_gaps(scores, labels)
    probabilities = softmax(scores)
    confusions, errors, areas = [], [], []
    for block in blocks:
        confusions.append((block @ cells).reshape(-1, size, size))
        errors.append(np.abs(block @ gaps).sum(axis=1) / block.sum(axis=1))
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


def percentile_interval(value: float | None, sample: Floats | None) -> Interval:
    """The value with the 2.5th and 97.5th percentile of its bootstrap samples [B]."""
    if value is None or sample is None:
        return Interval(value)
    low, high = np.percentile(sample, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def bias_corrected(interval: Interval, sample: Floats) -> Interval:
    """The interval moved by the bootstrap's bias.

    A sum of absolute values grows with noise, and a resample is noisier than the data: without
    this the interval of a well calibrated model lies above its own ECE.
    """
    value, low, high = interval
    if value is None or low is None or high is None:
        return interval
    bias = float(sample.mean()) - value
    return Interval(value, max(0.0, min(low - bias, value)), min(1.0, max(high - bias, value)))
