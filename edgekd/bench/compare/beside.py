"""Rows beside the teacher and beside the float student, on the same images."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from edgekd.bench.compare.accuracy import compare
from edgekd.bench.result import Comparison, Flip, Row
from edgekd.bench.run.answers import Entry
from edgekd.bench.subjects.data import BenchData

__all__ = ["beside_student", "beside_teacher"]

_SHOWN_FLIPS = 24


def beside_teacher(rows: Sequence[Row], entries: Sequence[Entry], data: BenchData) -> list[Row]:
    """The rows with what they are against the teacher, where there is one."""
    teacher = next((index for index, row in enumerate(rows) if row.role == "teacher"), None)
    if teacher is None:
        return list(rows)
    pairs = zip(rows, entries, strict=True)
    return [
        row
        if row.role == "teacher"
        else msgspec.structs.replace(
            row, vs_teacher=_versus(rows[teacher], entries[teacher], row, entry, data)
        )
        for row, entry in pairs
    ]


def _versus(
    teacher: Row, teacher_entry: Entry, row: Row, entry: Entry, data: BenchData
) -> Comparison:
    comparison = Comparison()
    if teacher_entry.logits is not None and entry.logits is not None:
        comparison = compare(
            teacher_entry.logits,
            entry.logits,
            data.labels,
            ordered=data.ordered,
            groups=data.groups,
        )
    return msgspec.structs.replace(
        comparison,
        speedup_p50=_ratio(_p50(teacher), _p50(row)),
        size_ratio=_ratio(teacher.size_bytes, row.size_bytes),
        params_ratio=_ratio(teacher.params, row.params),
    )


def _p50(row: Row) -> float | None:
    return row.latency_ms.model.p50 if row.latency_ms is not None else None


def _ratio(teacher: float | None, row: float | None) -> float | None:
    return teacher / row if teacher is not None and row else None


def beside_student(rows: Sequence[Row], entries: Sequence[Entry], data: BenchData) -> list[Row]:
    """The artefacts' rows with the images whose top class is not the float student's."""
    student = next((entry for entry in entries if entry.row.role == "student"), None)
    if student is None or student.logits is None:
        return list(rows)
    return [
        _with_flips(row, student, entry, data) if row.role == "artefact" else row
        for row, entry in zip(rows, entries, strict=True)
    ]


def _with_flips(row: Row, student: Entry, entry: Entry, data: BenchData) -> Row:
    before, after = student.probabilities, entry.probabilities
    if before is None or after is None:
        return row
    changed = np.flatnonzero(before.argmax(axis=1) != after.argmax(axis=1))
    # Those first on which most confidence changed hands.
    order = changed[
        np.argsort(-np.abs(before[changed] - after[changed]).max(axis=1), kind="stable")
    ]
    names = data.names
    flips = [
        Flip(
            image=names[index],
            label=data.classes[data.labels[index]],
            student=_shares(data.classes, before[index].tolist()),
            artefact=_shares(data.classes, after[index].tolist()),
        )
        for index in order[:_SHOWN_FLIPS].tolist()
    ]
    return msgspec.structs.replace(row, flipped=len(changed), flips=flips)


def _shares(classes: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in zip(classes, values, strict=True)}
