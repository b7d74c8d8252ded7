"""Sentences that compare an artefact with its teacher."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.bench.report.formats import (
    PERCENT,
    amount,
    estimate_with_unit,
    milliseconds,
    percent,
    ratio,
    signed,
    smaller,
    value_text,
)
from edgekd.bench.report.states import research_text
from edgekd.bench.result import Estimate, Result, ResultRow
from edgekd.bench.task import MetricColumn

__all__ = ["row_sentences"]


def row_sentences(row: ResultRow, result: Result, columns: Sequence[MetricColumn]) -> list[str]:
    """Sentences that compare an artefact with the teacher, the most general one first.

    Args:
        row: The artefact.
        result: Its result, which has the teacher's row too.
        columns: The headline numbers.
    """
    teacher = next((each for each in result.rows if each.role == "teacher"), None)
    doubtful = not (row.valid and (teacher is None or teacher.valid))
    sentences = [_size_and_speed(row, doubtful=doubtful)]
    if row.metrics is None:
        sentences.append("Accuracy not measured.")
    else:
        sentences += [_metric(column, row, teacher) for column in columns]
    sentences.append(_agreement(row, result.data.n))
    research = research_text(row)
    sentences += [f"{research[0].upper()}{research[1:]}: {floor}." for floor in row.below_floors]
    return [sentence for sentence in sentences if sentence]


def _size_and_speed(row: ResultRow, *, doubtful: bool) -> str:
    versus = row.vs_teacher
    size = amount(row.size_bytes)
    if versus is not None and versus.size_ratio is not None:
        size += f", {smaller(versus.size_ratio)} than the teacher"
    if row.latency_ms is None:
        return f"{size}; speed not measured."
    speed = f"{milliseconds(row.latency_ms.model.p50)} ms per image"
    if versus is not None and versus.speedup_p50 is not None:
        speed += f", {ratio(versus.speedup_p50)} as fast as the teacher"
    return f"{speed}{' (times flagged below)' if doubtful else ''}; {size}."


def _metric(column: MetricColumn, row: ResultRow, teacher: ResultRow | None) -> str:
    """`Balanced accuracy 83.1 %, teacher 84.0 %`, and the difference with its interval."""
    estimate = column.estimate(row.metrics)
    if estimate is None or estimate.value is None:
        return ""
    reference = column.estimate(teacher.metrics) if teacher is not None else None
    delta = column.delta(row.vs_teacher)
    if reference is None or delta is None or delta.value is None:
        beside = f"; teacher {estimate_with_unit(reference, column)}" if reference else ""
        return f"{column.title} {estimate_with_unit(estimate, column)}{beside}."
    unit = PERCENT if column.percent else ""
    values = [value_text(each.value, percentage=column.percent) for each in (estimate, reference)]
    difference = _difference(delta, column)
    return f"{column.title} {values[0]}{unit}, teacher {values[1]}{unit}: {difference}."


def _difference(delta: Estimate, column: MetricColumn) -> str:
    text = signed(delta.value, column) + (" points" if column.percent else "")
    if delta.low is None or delta.high is None:
        return text
    bounds = f"{signed(delta.low, column)} to {signed(delta.high, column)}"
    return f"{text} (95{PERCENT} interval {bounds})"


def _agreement(row: ResultRow, images: int) -> str:
    versus = row.vs_teacher
    if versus is None or versus.agreement is None:
        return ""
    share = percent(versus.agreement)
    return f"Same answer as the teacher on {share}{PERCENT} of {images} images."
