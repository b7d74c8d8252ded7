"""Comparison of every row with the teacher, on the same images."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgekd.bench.compare.margin import margin_of
from edgekd.bench.result import PolicyFacts, ResultRow, TeacherComparison
from edgekd.bench.run.answers import Answered, RowAnswers
from edgekd.bench.subjects.data import BenchData
from edgekd.metrics.task import Difference, metrics_task

__all__ = ["comparison_of", "with_teacher"]


def with_teacher(
    rows: Sequence[ResultRow], answers: Sequence[RowAnswers], data: BenchData, policy: PolicyFacts
) -> list[ResultRow]:
    """The rows compared with the teacher; unchanged where there is no teacher.

    Args:
        rows: The rows with their measurements.
        answers: Answers of the same rows, in the same order.
        data: The images.
        policy: Sets the margin of rows that record no policy of their own.
    """
    teacher = next((index for index, row in enumerate(rows) if row.role == "teacher"), None)
    if teacher is None:
        return list(rows)

    def compared(row: ResultRow, row_answers: RowAnswers) -> ResultRow:
        if row.role == "teacher":
            return row
        comparison = _of_answers(answers[teacher], row_answers, data)
        comparison = _with_ratios(comparison, rows[teacher], row)
        margin = margin_of(comparison, row.policy, policy)
        comparison = msgspec.structs.replace(comparison, margin=margin)
        return msgspec.structs.replace(row, vs_teacher=comparison)

    return [compared(row, each) for row, each in zip(rows, answers, strict=True)]


def comparison_of(difference: Difference) -> TeacherComparison:
    """A paired difference as a `TeacherComparison`, without ratios and margin."""
    deltas = dict(difference.deltas)
    return TeacherComparison(
        balanced_accuracy_delta=deltas.pop("balanced_accuracy", None),
        quadratic_kappa_delta=deltas.pop("quadratic_kappa", None),
        deltas=deltas,
        agreement=difference.agreement,
        flips=difference.flips,
    )


def _of_answers(teacher: RowAnswers, row: RowAnswers, data: BenchData) -> TeacherComparison:
    if not isinstance(teacher, Answered) or not isinstance(row, Answered):
        return TeacherComparison()
    difference = metrics_task(data.task).difference(
        teacher.calibrated,
        row.calibrated,
        data.targets,
        data.classes,
        ordered=data.ordered,
        groups=data.groups,
    )
    return comparison_of(difference)


def _with_ratios(
    comparison: TeacherComparison, teacher: ResultRow, row: ResultRow
) -> TeacherComparison:
    return msgspec.structs.replace(
        comparison,
        speedup_p50=_ratio(_p50(teacher), _p50(row)),
        size_ratio=_ratio(teacher.size_bytes, row.size_bytes),
        params_ratio=_ratio(teacher.params, row.params),
    )


def _p50(row: ResultRow) -> float | None:
    return row.latency_ms.model.p50 if row.latency_ms is not None else None


def _ratio(teacher: float | None, row: float | None) -> float | None:
    return teacher / row if teacher is not None and row else None
