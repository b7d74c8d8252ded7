"""The operating points that a model really uses: its answers, and the thresholds of its bundle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.task import report_task
from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.pictures import OperatingMark
from edgekd.evaluation.table import ValidationData

__all__ = ["OperatingPoint", "class_points", "coverage_points"]

_Flags = NDArray[np.bool_]


class OperatingPoint(NamedTuple):
    """What a model does with each image at one of its points.

    Attributes:
        flagged: Which images count as positive [N].
        text: What the model does with them.
        threshold: Whether it is a threshold, and thus a point of the curve.
    """

    flagged: _Flags
    text: str
    threshold: bool

    def of_roc(self, shown: _Flags) -> OperatingMark | None:
        """The point of a ROC curve; None where all images show the class, or none."""
        if shown.all() or not shown.any():
            return None
        alarms, hits = self.flagged[~shown].mean(), self.flagged[shown].mean()
        return OperatingMark(float(alarms), float(hits), self.text, self.threshold)

    def of_precision_recall(self, shown: _Flags) -> OperatingMark | None:
        """The point of a precision-recall curve; None where nothing is flagged, or shown."""
        if not self.flagged.any() or not shown.any():
            return None
        hits, precision = self.flagged[shown].mean(), shown[self.flagged].mean()
        return OperatingMark(float(hits), float(precision), self.text, self.threshold)


def class_points(answers: ModelAnswers, data: ValidationData, name: str) -> list[OperatingPoint]:
    """The points of a model for one class.

    The answers of a bundle are those that it gives: an image that it refers is no positive. This
    point therefore lies off the curve, which knows of no referrals.
    """
    index = data.bench.classes.index(name)
    named = answers.answered & answers.named[:, index]
    return [OperatingPoint(named, "answered", False), *_thresholds(answers, data, name, index)]


def _thresholds(
    answers: ModelAnswers, data: ValidationData, name: str, index: int
) -> Iterator[OperatingPoint]:
    if answers.decision is None:
        return
    thresholds = report_task(data.bench.task).thresholds(answers.decision, name)
    for text, threshold in thresholds.items():
        flagged = answers.probabilities[:, index] >= threshold
        yield OperatingPoint(np.asarray(flagged), f"{text} from {threshold:.3g}", True)


def coverage_points(answers: ModelAnswers, data: ValidationData) -> list[OperatingMark]:
    """Share answered and wrong among these: of the whole decision, and of its refer band alone."""
    marks = [_coverage_mark(answers, answers.answered, "whole decision", hollow=False)]
    band = report_task(data.bench.task).refer_below(answers.decision) if answers.decides else None
    if band is not None:
        above = np.asarray(answers.confidence >= band)
        marks.append(_coverage_mark(answers, above, f"refer band {band:.2f}", hollow=True))
    return [mark for mark in marks if mark is not None]


def _coverage_mark(
    answers: ModelAnswers, answered: _Flags, text: str, *, hollow: bool
) -> OperatingMark | None:
    if not answered.any():
        return None
    wrong = float((~answers.right)[answered].mean())
    return OperatingMark(float(answered.mean()), wrong, text, hollow)
