"""Points of the usual curves: ROC, precision-recall, reliability, coverage against error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.metrics.classification import ECE_BINS, Floats, confidence_bin

__all__ = [
    "Curve",
    "ReliabilityBin",
    "coverage_error_curve",
    "precision_recall_curve",
    "reliability_bins",
    "roc_curve",
]


class Curve(NamedTuple):
    """Points of a curve, in the order of falling thresholds.

    Attributes:
        x: [P].
        y: [P].
        threshold: The least score that counts as positive at each point [P].
    """

    x: Floats
    y: Floats
    threshold: Floats


class ReliabilityBin(NamedTuple):
    """Images of one range of confidence.

    Attributes:
        confidence: Their mean confidence.
        right: Share of them that are right.
        images: Their number.
    """

    confidence: float
    right: float
    images: int


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> Curve | None:
    """False positive rate (x) and sensitivity (y) at every threshold that a score marks.

    Args:
        scores: [N]; higher speaks for the class.
        positive: Which images show the class [N].

    Returns:
        The curve from (0, 0) to (1, 1); None where all images show the class, or none.
    """
    thresholds, hits, alarms = _counts(scores, positive)
    if not hits.size or not hits[-1] or not alarms[-1]:
        return None
    x, y = np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])
    return Curve(x, y, np.append(np.inf, thresholds))


def precision_recall_curve(scores: ArrayLike, positive: ArrayLike) -> Curve | None:
    """Sensitivity (x) and precision (y) at every threshold that a score marks.

    Points are not joined by straight lines, which would be too optimistic (Davis & Goadrich 2006,
    "The relationship between precision-recall and ROC curves"); pictures draw steps.

    Returns:
        None where no image shows the class.
    """
    thresholds, hits, alarms = _counts(scores, positive)
    if not hits.size or not hits[-1]:
        return None
    return Curve(hits / hits[-1], hits / (hits + alarms), thresholds)


def reliability_bins(confidence: ArrayLike, right: ArrayLike) -> list[ReliabilityBin]:
    """Bins of the reliability diagram, of equal width (Guo et al. 2017, section 2); none is empty.

    Args:
        confidence: Probability of the answer [N], 0…1.
        right: Whether the answer is right [N].
    """
    shares, hits = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    index = confidence_bin(shares)
    return [
        ReliabilityBin(float(shares[own].mean()), float(hits[own].mean()), int(own.sum()))
        for own in (index == number for number in range(ECE_BINS))
        if own.any()
    ]


def coverage_error_curve(confidence: ArrayLike, right: ArrayLike) -> Curve | None:
    """Share of images that are answered (x), and share of wrong ones among these (y).

    Images are answered from the most confident one down (Geifman & El-Yaniv 2017, "Selective
    classification for deep neural networks"); images of equal confidence together.

    Returns:
        None without images.
    """
    thresholds, hits, errors = _counts(confidence, right)
    if not thresholds.size:
        return None
    answered = hits + errors
    return Curve(answered / answered[-1], errors / answered, thresholds)


def _counts(scores: ArrayLike, flags: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Distinct scores from the highest down; how many flagged and other images reach each."""
    values, flagged = np.asarray(scores, np.float64), np.asarray(flags, np.bool_)
    order = np.argsort(-values, kind="stable")
    last: NDArray[np.int64] = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    if not values.size:
        return values, values, values
    hits = np.cumsum(flagged[order])[last].astype(np.float64)
    return values[order][last], hits, last + 1.0 - hits
