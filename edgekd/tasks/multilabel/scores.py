"""Metrics of findings on weighted images: weights are 1, or the counts of a bootstrap sample.

A finding is answered present where its probability is at least 0.5, its logit at least 0. A metric
of a finding that no image has, or that every image has, is NaN and left out of means.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.classification import ECE_BINS, area_under_roc
from edgekd.tasks.multilabel.decision import finding_probabilities

__all__ = ["FindingAnswers", "checked_findings", "scores_of"]

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]


class FindingAnswers(NamedTuple):
    """Outputs of a network for labelled images.

    Attributes:
        probabilities: Probability of each finding [N, K].
        present: Whether each finding is answered present [N, K].
        true: Whether the image has the finding [N, K].
    """

    probabilities: _Floats
    present: _Flags
    true: _Flags

    @property
    def right(self) -> _Flags:
        """Whether each answer is right [N, K]."""
        return np.asarray(self.present == self.true)


class Scores(NamedTuple):
    """Metrics [B] of B weightings of the images; NaN where undefined."""

    balanced_accuracy: _Floats
    macro_f1: _Floats
    macro_auroc: _Floats
    ece: _Floats


def checked_findings(logits: ArrayLike, targets: ArrayLike) -> FindingAnswers:
    """The answers that logits [N, K], calibrated, give for images with targets [N, K] of 0 and 1.

    Raises:
        InputError: Shapes do not fit, a target is neither 0 nor 1, or a logit is not finite.
    """
    scores, labels = np.asarray(logits, np.float64), np.asarray(targets)
    if scores.ndim != 2 or scores.shape[1] < 1 or labels.shape != scores.shape:
        message = f"logits {scores.shape} and targets {labels.shape} do not fit together"
        raise InputError(message, "give logits [N, K] and targets [N, K]")
    if not np.isfinite(scores).all():
        message = f"{int((~np.isfinite(scores)).any(axis=1).sum())} rows of logits are not finite"
        raise InputError(message, "look at the model: it overflows or its file is damaged")
    if not np.isin(labels, (0, 1)).all():
        raise InputError("a target is neither 0 nor 1", "give 1 for a finding of the image, else 0")
    return FindingAnswers(finding_probabilities(scores, 1.0), scores >= 0, labels.astype(bool))


def scores_of(answers: FindingAnswers, counts: _Floats) -> Scores:
    """The metrics of images that occur `counts` [B, N] times.

    `balanced_accuracy` is the mean over findings of (sensitivity + specificity) / 2, `ece` the
    expected calibration error of all probabilities together (`calibration_gaps_of`).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return Scores(
            _mean(_finding_accuracy(answers, counts)),
            _mean(_finding_f1(answers, counts)),
            _mean(_finding_auroc(answers, counts)),
            _calibration_error(answers, counts),
        )


def _mean(by_finding: _Floats) -> _Floats:
    """Mean over the findings [B] of [B, K], NaN left out."""
    known = np.isfinite(by_finding)
    return np.asarray(np.where(known, by_finding, 0.0).sum(axis=1) / known.sum(axis=1))


def _finding_accuracy(answers: FindingAnswers, counts: _Floats) -> _Floats:
    """(Sensitivity + specificity) / 2 of each finding [B, K]."""
    sensitivity = (counts @ (answers.present & answers.true)) / (counts @ answers.true)
    specificity = (counts @ ~(answers.present | answers.true)) / (counts @ ~answers.true)
    return np.asarray((sensitivity + specificity) / 2)


def _finding_f1(answers: FindingAnswers, counts: _Floats) -> _Floats:
    """F1 of each finding [B, K]."""
    hits = 2 * (counts @ (answers.present & answers.true))
    return np.asarray(hits / (counts @ answers.present + counts @ answers.true))


def _finding_auroc(answers: FindingAnswers, counts: _Floats) -> _Floats:
    """Area under the ROC curve of each finding [B, K]."""
    areas = np.full((len(counts), answers.true.shape[1]), np.nan)
    for index in np.flatnonzero(answers.true.any(axis=0) & ~answers.true.all(axis=0)).tolist():
        scores, positive = answers.probabilities[:, index], answers.true[:, index]
        areas[:, index] = area_under_roc(scores, positive, counts)
    return areas


def _calibration_error(answers: FindingAnswers, counts: _Floats) -> _Floats:
    """Mean distance [B] of the probability of a finding from its frequency, over equal bins.

    The findings of all images are pooled (Guo et al. 2017, equation 3, for a binary outcome).
    """
    gaps = calibration_gaps_of(answers)
    pairs = counts.sum(axis=1) * answers.true.shape[1]
    return np.asarray(np.abs(counts @ gaps).sum(axis=1) / pairs)


def calibration_gaps_of(answers: FindingAnswers) -> _Floats:
    """Frequency minus probability of each image's findings, summed by bin, [N, ECE_BINS]."""
    # Bins are (low, high], as in the paper: a probability of 1 is in the last one.
    bins = np.clip(np.ceil(answers.probabilities * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
    gaps = np.zeros((len(bins), ECE_BINS))
    for finding in range(bins.shape[1]):
        gap = answers.true[:, finding] - answers.probabilities[:, finding]
        gaps[np.arange(len(bins)), bins[:, finding]] += gap
    return gaps
