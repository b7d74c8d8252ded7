"""The answer and the decision of each model for each image, in one form for all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.result import ResultRow
from edgekd.bench.run.answers import Answered
from edgekd.bench.task import ReportTask, report_task
from edgekd.evaluation.table import ValidationData
from edgekd.runtime.task import device_task

__all__ = ["ModelAnswers", "has_classes", "model_answers"]

_Flags = NDArray[np.bool_]
_Shares = NDArray[np.float64]


@dataclass(frozen=True)
class ModelAnswers:
    """The answers of one model.

    Attributes:
        row: Its row of the result.
        path: The bundle or the checkpoint's folder.
        decision: The bundle's section `decision`; None for a checkpoint, which answers always.
        verdicts: `answer`, `refer` or `retake` for each image [N].
        named: Which classes the answer names, whatever the verdict, [N, K].
        shown: Which classes the image shows, [N, K].
        probabilities: Calibrated probability of each class, [N, K].
        uncalibrated: The same before calibration.
        reasons: Codes of the reasons why there is no answer, for each image.
        sets: Classes that cannot be excluded, for each image; None where the model has no sets.
        groups: The lesion or patient of each image; None where none are known.
    """

    row: ResultRow
    path: Path
    decision: Any
    verdicts: NDArray[np.str_]
    named: _Flags
    shown: _Flags
    probabilities: _Shares
    uncalibrated: _Shares
    reasons: tuple[tuple[str, ...], ...]
    sets: tuple[tuple[str, ...] | None, ...]
    groups: Sequence[str] | None

    @property
    def decides(self) -> bool:
        """Whether it is a bundle, which may refer or want another photo."""
        return self.decision is not None

    @cached_property
    def answered(self) -> _Flags:
        """Which images get an answer [N]."""
        return np.asarray(self.verdicts == "answer")

    @cached_property
    def right(self) -> _Flags:
        """Whether the whole answer is that of the label, whatever the verdict [N]."""
        return np.asarray((self.named == self.shown).all(axis=1))

    @cached_property
    def exclusive(self) -> bool:
        """Whether each image shows one class and each answer names one."""
        return bool((self.named.sum(axis=1) == 1).all() and (self.shown.sum(axis=1) == 1).all())

    @cached_property
    def confidence(self) -> _Shares:
        """Probability of the answer [N]: of findings, that of the least certain one."""
        certain = np.where(self.named, self.probabilities, 1 - self.probabilities)
        if self.exclusive:
            return np.asarray((self.probabilities * self.named).sum(axis=1))
        return np.asarray(certain.min(axis=1))


def has_classes(evaluated: Answered, data: ValidationData) -> bool:
    """Whether the task gives each class a probability, which the statistics need."""
    classes = data.bench.classes
    return bool(report_task(data.bench.task).scores(evaluated.calibrated[0], classes))


def model_answers(evaluated: Answered, row: ResultRow, data: ValidationData) -> ModelAnswers:
    """The answers of a model.

    Args:
        evaluated: Its outputs and decisions.
        row: Its row of the result, whose name is unique.
        data: The images.
    """
    bench = data.bench
    task, classes = report_task(bench.task), bench.classes
    probabilities = _scores(task, evaluated.calibrated, classes)
    if evaluated.images:
        answers = [task.label_names(each.label) for each in evaluated.images]
        verdicts = [each.decision for each in evaluated.images]
    else:
        scores = (dict(zip(classes, row.tolist(), strict=True)) for row in probabilities)
        answers = [task.answer(each) for each in scores]
        verdicts = ["answer"] * len(bench.images)
    return ModelAnswers(
        row=row,
        path=evaluated.path,
        decision=evaluated.decision,
        verdicts=np.array(verdicts),
        named=np.array([[name in answer for name in classes] for answer in answers], np.bool_),
        shown=data.shown,
        probabilities=probabilities,
        uncalibrated=_scores(task, evaluated.outputs, classes),
        reasons=tuple(tuple(each.reasons) for each in evaluated.images) or ((),) * len(verdicts),
        sets=_sets(evaluated, bench.task, classes),
        groups=bench.groups,
    )


def _scores(task: ReportTask, outputs: NDArray[Any], classes: Sequence[str]) -> _Shares:
    scores = [task.scores(output, classes) for output in outputs]
    return np.array([[each[name] for name in classes] for each in scores], np.float64)


def _sets(
    evaluated: Answered, task: str, classes: Sequence[str]
) -> tuple[tuple[str, ...] | None, ...]:
    """The sets that the runtime shows, by the same code on the same outputs."""
    if evaluated.decision is None:
        return (None,) * len(evaluated.outputs)
    device = device_task(task)
    judgements = (device.judge(output, evaluated.decision, classes) for output in evaluated.outputs)
    return tuple(each.conformal_set for each in judgements)
