"""Metrics of a classifier, from logits [N, K] and integer targets [N].

Every metric is written once, on weighted images: a weight of 1 for each image gives the metric
itself, a row of resampling counts gives it for one bootstrap sample (`edgekd.metrics.intervals`).
A metric that the images do not determine is None.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError

__all__ = [
    "ECE_BINS",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "expected_calibration_error",
    "macro_auroc",
    "macro_f1",
    "quadratic_kappa",
    "sensitivity",
    "softmax",
    "specificity",
]

ECE_BINS = 15
"""Equal-width bins of the top probability (Guo et al. 2017, section 2)."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def checked(logits: ArrayLike, targets: ArrayLike) -> tuple[Floats, Integers]:
    """Logits as float64 [N, K] and targets as int64 [N], checked.

    Raises:
        InputError: The shapes do not fit, a target is not a class, or a logit is not finite.
    """
    scores = np.asarray(logits, dtype=np.float64)
    labels = np.asarray(targets)
    if scores.ndim != 2 or scores.shape[1] < 2 or labels.shape != scores.shape[:1]:
        message = f"logits {scores.shape} and targets {labels.shape} do not fit together"
        raise InputError(message, "give logits [N, K] with K >= 2 and targets [N]")
    if not np.isfinite(scores).all():
        message = f"{int((~np.isfinite(scores)).any(axis=1).sum())} rows of logits are not finite"
        raise InputError(message, "look at the model: it overflows or its file is damaged")
    if labels.size and not np.issubdtype(labels.dtype, np.integer):
        message = f"targets must be integers, not {labels.dtype}"
        raise InputError(message, "give class indices")
    labels = labels.astype(np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < scores.shape[1]:
        message = f"targets {labels.min()}..{labels.max()} do not fit {scores.shape[1]} classes"
        raise InputError(message, "check that the data and the model have the same class list")
    return scores, labels


def softmax(logits: ArrayLike) -> Floats:
    """Probabilities [..., K] of logits [..., K], float64, safe against overflow."""
    scores = np.asarray(logits, dtype=np.float64)
    if scores.size == 0:
        return scores
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def confusion_matrix(logits: ArrayLike, targets: ArrayLike) -> Integers:
    """Counts [K, K]: rows are the true classes, columns the decided ones."""
    scores, labels = checked(logits, targets)
    size = scores.shape[1]
    cells = labels * size + top_class(scores)
    return np.bincount(cells, minlength=size * size).reshape(size, size).astype(np.int64)


def accuracy(logits: ArrayLike, targets: ArrayLike) -> float | None:
    """Share of the images whose top class is the true one; None without images."""
    scores, labels = checked(logits, targets)
    return float(np.mean(top_class(scores) == labels)) if labels.size else None


def balanced_accuracy(logits: ArrayLike, targets: ArrayLike) -> float | None:
    """Mean recall over the classes that occur; None without images."""
    confusion = confusion_matrix(logits, targets)
    return float(balanced_accuracy_of(confusion)) if confusion.any() else None


def macro_f1(logits: ArrayLike, targets: ArrayLike) -> float | None:
    """Mean F1 over the classes that occur or are decided; None without images."""
    confusion = confusion_matrix(logits, targets)
    return float(macro_f1_of(confusion)) if confusion.any() else None


def quadratic_kappa(logits: ArrayLike, targets: ArrayLike) -> float | None:
    """Weighted kappa of graded classes with squared distances (Cohen 1968, Psychol. Bull. 70:213).

    1 is full agreement, 0 the agreement expected by chance. The classes are graded in the order of
    the logits. None without images, or where only one class occurs and is decided.
    """
    confusion = confusion_matrix(logits, targets)
    value = float(quadratic_kappa_of(confusion)) if confusion.any() else np.nan
    return value if np.isfinite(value) else None


def macro_auroc(logits: ArrayLike, targets: ArrayLike) -> float | None:
    """Mean one-vs-rest area under the ROC curve of the probabilities.

    Classes without positives or without negatives are left out; None if all are.
    """
    scores, labels = checked(logits, targets)
    areas = auroc_of(softmax(scores), labels, np.ones((1, labels.size)))
    return float(areas[0]) if areas is not None else None


def expected_calibration_error(logits: ArrayLike, targets: ArrayLike) -> float | None:
    """Mean distance of confidence and accuracy over the bins (Guo et al. 2017, equation 3).

    The logits are taken as they are: divide them by the temperature first.
    """
    scores, labels = checked(logits, targets)
    if not labels.size:
        return None
    return float(np.abs(calibration_gaps(scores, labels).sum(axis=0)).sum() / labels.size)


def sensitivity(confusion: Integers) -> list[float | None]:
    """Share of each class's images that are decided as that class; None without images."""
    hits = confusion.diagonal()
    return _shares(hits, confusion.sum(axis=1))


def specificity(confusion: Integers) -> list[float | None]:
    """Share of the other classes' images that are not decided as each class."""
    others = confusion.sum() - confusion.sum(axis=1)
    false_positives = confusion.sum(axis=0) - confusion.diagonal()
    return _shares(others - false_positives, others)


# ---- the same on weighted images: what the bootstrap calls ----


def top_class(scores: Floats) -> Integers:
    """Index [N] of the highest logit; the first one on a tie."""
    return np.asarray(np.argmax(scores, axis=1), dtype=np.int64)


def balanced_accuracy_of(confusions: NDArray[np.generic]) -> Floats:
    """Mean recall [...] of confusion matrices [..., K, K] over the classes that occur."""
    occurs = np.asarray(confusions, dtype=np.float64).sum(axis=-1) > 0
    return np.asarray(class_recall_of(confusions).sum(axis=-1) / occurs.sum(axis=-1))


def class_recall_of(confusions: NDArray[np.generic]) -> Floats:
    """Recall of each class [..., K]; 0 for one that does not occur."""
    counts = np.asarray(confusions, dtype=np.float64)
    return np.asarray(_ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1)))


def macro_f1_of(confusions: NDArray[np.generic]) -> Floats:
    """Mean F1 [...] of confusion matrices [..., K, K] over classes that occur or are decided."""
    counts = np.asarray(confusions, dtype=np.float64)
    seen = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.asarray(class_f1_of(counts).sum(axis=-1) / (seen > 0).sum(axis=-1))


def class_f1_of(confusions: NDArray[np.generic]) -> Floats:
    """F1 of each class [..., K]; 0 for one that neither occurs nor is decided."""
    counts = np.asarray(confusions, dtype=np.float64)
    seen = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.asarray(_ratio(2 * np.diagonal(counts, axis1=-2, axis2=-1), seen))


def quadratic_kappa_of(confusions: NDArray[np.generic]) -> Floats:
    """Quadratic weighted kappa [...] of confusion matrices [..., K, K]; NaN if undefined."""
    counts = np.asarray(confusions, dtype=np.float64)
    grades = np.arange(counts.shape[-1])
    distance = np.square(grades[:, None] - grades)
    true, decided = counts.sum(axis=-1), counts.sum(axis=-2)
    by_chance = np.einsum("...i,...j,ij->...", true, decided, distance)
    observed = (counts * distance).sum(axis=(-2, -1)) * counts.sum(axis=(-2, -1))
    unknown = np.full_like(by_chance, np.nan)
    return np.asarray(1.0 - np.divide(observed, by_chance, out=unknown, where=by_chance > 0))


def auroc_of(probabilities: Floats, labels: Integers, counts: Floats) -> Floats | None:
    """Macro one-vs-rest AUROC [B] of images that occur `counts` [B, N] times."""
    areas = [
        area_under_roc(probabilities[:, index], labels == index, counts)
        for index in range(probabilities.shape[1])
        if 0 < np.count_nonzero(labels == index) < labels.size
    ]
    return np.asarray(np.mean(areas, axis=0)) if areas else None


def area_under_roc(scores: Floats, positive: NDArray[np.bool_], counts: Floats) -> Floats:
    """Area under the ROC curve [B] of images that occur `counts` [B, N] times.

    The Mann-Whitney U statistic divided by its maximum; a tie of a positive with a negative counts
    one half.

    Args:
        scores: [N].
        positive: Which images are positive [N]; at least one is, and at least one is not.
        counts: [B, N].
    """
    negatives = np.flatnonzero(~positive)
    negatives = negatives[np.argsort(scores[negatives])]
    below = np.zeros((counts.shape[0], negatives.size + 1))
    np.cumsum(counts[:, negatives], axis=1, out=below[:, 1:])
    left = np.searchsorted(scores[negatives], scores[positive], side="left")
    right = np.searchsorted(scores[negatives], scores[positive], side="right")
    weights = counts[:, positive]
    wins = np.einsum("bn,bn->b", weights, below[:, left])
    if not np.array_equal(left, right):
        wins = 0.5 * (wins + np.einsum("bn,bn->b", weights, below[:, right]))
    return np.asarray(wins / (weights.sum(axis=1) * below[:, -1]))


def calibration_gaps(scores: Floats, labels: Integers) -> Floats:
    """Correct minus confidence of each image in the column of its bin, [N, ECE_BINS]."""
    probabilities = softmax(scores)
    confidence = probabilities.max(axis=1)
    gaps = np.zeros((labels.size, ECE_BINS))
    cells = np.arange(labels.size), confidence_bin(confidence)
    gaps[cells] = (top_class(scores) == labels) - confidence
    return gaps


def confidence_bin(confidence: Floats) -> Integers:
    """The bin [N] of each confidence [N]; bins are (low, high], as in the paper."""
    return np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)


def _shares(numerators: Integers, denominators: Integers) -> list[float | None]:
    pairs = zip(numerators.tolist(), denominators.tolist(), strict=True)
    return [part / whole if whole else None for part, whole in pairs]
