"""Sensitivity of each class, one small picture per class."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.report.pictures.svg import Axes, Drawing, Scale
from edgekd.bench.report.words import MELANOMA, percent_interval
from edgekd.bench.result import ClassMetrics

__all__ = ["sensitivities"]

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _LINE = 300, 34, 16, 6, 24, 15


def sensitivities(entries: Sequence[MarkedRow]) -> list[tuple[str, int, str]]:
    """Class, number of its images, and its picture: rows with intervals below one another.

    Melanoma comes first, then the order of the classes; all pictures have the same scale, and a
    dotted line where the teacher stands.
    """
    measured = [entry for entry in entries if entry.row.metrics is not None]
    if not measured or measured[0].row.metrics is None:
        return []
    counts = {name: each.n for name, each in measured[0].row.metrics.per_class.items()}
    low = _lowest(measured)
    ordered = sorted(counts, key=lambda name: name != MELANOMA)
    return [(name, counts[name], _class_picture(name, measured, low)) for name in ordered]


def _lowest(measured: Sequence[MarkedRow]) -> float:
    """The last multiple of 20 below every whisker, in percent."""
    bounds = [
        each.sensitivity.low if each.sensitivity.low is not None else each.sensitivity.value
        for entry in measured
        if entry.row.metrics is not None
        for each in entry.row.metrics.per_class.values()
    ]
    known = [bound for bound in bounds if bound is not None]
    return min(20.0 * (100 * min(known, default=0.0) // 20), 80.0)


def _class_picture(name: str, measured: Sequence[MarkedRow], low: float) -> str:
    height = _TOP + _LINE * len(measured) + _BOTTOM
    axes = Axes(
        Drawing(_WIDTH, height),
        Scale(low, 100.0, _LEFT, _WIDTH - _RIGHT),
        Scale(0.0, 1.0, height - _BOTTOM, _TOP),
    )
    axes.grid_x("", most=5)
    _draw_teacher(axes, name, measured)
    for line, entry in enumerate(measured):
        _draw_line(axes, name, entry, _TOP + _LINE * (line + 0.5))
    said = "; ".join(_words(name, entry) for entry in measured)
    return axes.drawing.svg(f"Sensitivity for {name}, %. {said}.")


def _draw_teacher(axes: Axes, name: str, measured: Sequence[MarkedRow]) -> None:
    teacher = next((entry for entry in measured if entry.row.role == "teacher"), None)
    found = _found(name, teacher) if teacher is not None else None
    value = found.sensitivity.value if found is not None else None
    if value is not None:
        x = axes.x(100 * value)
        line = [(x, axes.y.start), (x, axes.y.end)]
        axes.drawing.path(line, "ink", stroke_dasharray="1 4", stroke_width=1.5)


def _draw_line(axes: Axes, name: str, entry: MarkedRow, y: float) -> None:
    drawing, mark = axes.drawing, entry.mark
    drawing.open_group(_words(name, entry))
    drawing.text(mark.letter, (axes.x.start - 8, y + 4), "letter", anchor="end")
    found = _found(name, entry)
    if found is not None and found.sensitivity.value is not None:
        estimate = found.sensitivity
        if estimate.low is not None and estimate.high is not None:
            ends = [(axes.x(100 * bound), y) for bound in (estimate.low, estimate.high)]
            drawing.path(ends, stroke=mark.colour, stroke_width=2)
        drawing.mark(mark, (axes.x(100 * (estimate.value or 0.0)), y), size=4)
    drawing.close_group()


def _found(name: str, entry: MarkedRow) -> ClassMetrics | None:
    metrics = entry.row.metrics
    return metrics.per_class.get(name) if metrics is not None else None


def _words(name: str, entry: MarkedRow) -> str:
    found = _found(name, entry)
    return f"{entry.mark.letter} {percent_interval(found.sensitivity if found else None)}"
