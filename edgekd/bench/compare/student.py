"""Images whose answer an artefact changed, compared with the float student."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from edgekd.bench.result import Flip, ResultRow
from edgekd.bench.run.answers import Answered, RowAnswers
from edgekd.bench.subjects.data import BenchData
from edgekd.bench.task import report_task
from edgekd.runtime.task import device_task

__all__ = ["with_flips"]

_SHOWN_FLIPS = 24


def with_flips(
    rows: Sequence[ResultRow], answers: Sequence[RowAnswers], data: BenchData
) -> list[ResultRow]:
    """The rows, each artefact's with the images whose answer is not the float student's.

    Args:
        rows: The rows of the result.
        answers: Answers of the same rows, in the same order.
        data: The images.
    """
    students = (each for each in answers if each.row.role == "student")
    student = next(students, None)
    if not isinstance(student, Answered):
        return list(rows)
    return [
        _with_flips(row, student, each, data)
        if row.role == "artefact" and isinstance(each, Answered)
        else row
        for row, each in zip(rows, answers, strict=True)
    ]


def _with_flips(
    row: ResultRow, student: Answered, artefact: Answered, data: BenchData
) -> ResultRow:
    agree = device_task(data.task).agree(student.outputs, artefact.outputs)
    task, names = report_task(data.task), data.names
    flips = []
    for index in np.flatnonzero(~agree).tolist():
        before = task.scores(student.calibrated[index], data.classes)
        after = task.scores(artefact.calibrated[index], data.classes)
        flips.append(
            Flip(image=names[index], label=data.labels[index], student=before, artefact=after)
        )
    flips.sort(key=_score_change, reverse=True)
    return msgspec.structs.replace(row, flipped=len(flips), flips=flips[:_SHOWN_FLIPS])


def _score_change(flip: Flip) -> float:
    """The largest difference of a score between student and artefact."""
    changes = (abs(value - flip.artefact[name]) for name, value in flip.student.items())
    return max(changes, default=0.0)
