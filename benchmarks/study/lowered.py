"""The lowered files of the shipped student, from a result of `edgekd bench --json`."""

from __future__ import annotations

from layout import NOT_RUN, NOTHING, head

from edgekd.bench.result import Estimate, Result, ResultRow
from edgekd.distill.comparison.comparison import Spread
from edgekd.distill.comparison.comparison_table import percent

__all__ = ["lowered_markdown"]

_COLUMNS = (
    "file", "MB", "BACC", "− float student", "flips", "mel sens.", "ECE", "p50 ms",
    "of teacher's time", "of teacher's size",
)  # fmt: skip


def lowered_markdown(result: Result | None) -> str:
    """Files by backend and precision, beside the float student and the teacher; not run: None."""
    if result is None:
        return f"Lowered files: {NOT_RUN}.\n"
    student = next((row for row in result.rows if row.role == "student"), None)
    lines = head(_COLUMNS)
    lines += [f"| {' | '.join(_cells(row, student, result.data.n))} |" for row in result.rows]
    data = f"{result.data.n} images of {result.data.name}, {result.data.split}"
    machine = result.device.facts.get("cpu", result.device.name)
    return "\n".join([*lines, "", f"Per cent on {data}; measured on {machine}."]) + "\n"


def _cells(row: ResultRow, student: ResultRow | None, images: int) -> list[str]:
    versus, latency, metrics = row.vs_teacher, row.latency_ms, row.metrics
    of_melanoma = metrics.per_class.get("mel") if metrics else None
    return [
        row.name,
        f"{row.size_bytes / 1e6:.2f}" if row.size_bytes else NOTHING,
        _percent(metrics.balanced_accuracy if metrics else None),
        _change(row, student),
        _share(row.flipped, images),
        _percent(of_melanoma.sensitivity if of_melanoma else None),
        _percent(metrics.ece if metrics else None),
        f"{latency.model.p50:.2f}" if latency else NOTHING,
        _inverse(versus.speedup_p50 if versus else None),
        _inverse(versus.size_ratio if versus else None),
    ]


def _percent(estimate: Estimate | None) -> str:
    return percent(Spread(mean=estimate.value if estimate else None, sd=None))


def _share(count: int | None, images: int) -> str:
    return percent(Spread(mean=None if count is None else count / images, sd=None))


def _change(row: ResultRow, student: ResultRow | None) -> str:
    """Points of balanced accuracy between a file and the float student."""
    if row.role != "artefact" or student is None or row.metrics is None or student.metrics is None:
        return NOTHING
    after, before = row.metrics.balanced_accuracy, student.metrics.balanced_accuracy
    if after is None or before is None or after.value is None or before.value is None:
        return NOTHING
    return f"{100 * (after.value - before.value):+.1f}"


def _inverse(ratio: float | None) -> str:
    return f"1/{ratio:.1f}" if ratio else NOTHING
