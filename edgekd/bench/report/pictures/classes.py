"""One number of each class or finding, one small picture each."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.formats import percent_interval
from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.report.pictures.svg import Axes, Drawing, Scale
from edgekd.bench.result import Estimate
from edgekd.bench.task import policy_order, report_task

__all__ = ["class_pictures"]

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _LINE = 300, 34, 16, 6, 24, 15


def class_pictures(entries: Sequence[MarkedRow]) -> list[tuple[str, int, str]]:
    """Class, number of its images, and its picture: rows with intervals below one another.

    Classes that the policy names first come first; all pictures have the same scale, and a dotted
    line at the teacher's value. Empty where the task has no number by class.
    """
    measured = [entry for entry in entries if entry.row.metrics is not None]
    if not measured or measured[0].row.metrics is None:
        return []
    result = measured[0].result
    kinds = report_task(result.task).member_metrics
    counts = {name: each.n for name, each in measured[0].row.metrics.per_class.items()}
    if not kinds or not counts:
        return []
    picture = _Pictures(kinds[0], measured)
    ordered = policy_order(list(counts), policy_of(result))
    return [(name, counts[name], picture.of(name)) for name in ordered]


class _Pictures:
    """Draws one metric of every class on one scale."""

    def __init__(self, metric: str, measured: Sequence[MarkedRow]) -> None:
        self.metric, self.measured = metric, measured
        self.low = self._lowest()

    def _estimate(self, name: str, entry: MarkedRow) -> Estimate | None:
        metrics = entry.row.metrics
        member = metrics.per_class.get(name) if metrics is not None else None
        estimate: Estimate | None = getattr(member, self.metric, None)
        return estimate

    def _lowest(self) -> float:
        """The largest multiple of 20 below every whisker, in percent."""
        bounds = [
            estimate.low if estimate.low is not None else estimate.value
            for entry in self.measured
            if entry.row.metrics is not None
            for name in entry.row.metrics.per_class
            if (estimate := self._estimate(name, entry)) is not None
        ]
        known = [bound for bound in bounds if bound is not None]
        return min(20.0 * (100 * min(known, default=0.0) // 20), 80.0)

    def of(self, name: str) -> str:
        """The picture of a class as SVG."""
        height = _TOP + _LINE * len(self.measured) + _BOTTOM
        axes = Axes(
            Drawing(_WIDTH, height),
            Scale(self.low, 100.0, _LEFT, _WIDTH - _RIGHT),
            Scale(0.0, 1.0, height - _BOTTOM, _TOP),
        )
        axes.grid_x("", most=5)
        self._draw_teacher(axes, name)
        for line, entry in enumerate(self.measured):
            self._draw_line(axes, name, entry, _TOP + _LINE * (line + 0.5))
        values = "; ".join(self._text(name, entry) for entry in self.measured)
        return axes.drawing.svg(f"{self.metric.capitalize()} for {name}, %. {values}.")

    def _draw_teacher(self, axes: Axes, name: str) -> None:
        teacher = next((entry for entry in self.measured if entry.row.role == "teacher"), None)
        estimate = self._estimate(name, teacher) if teacher is not None else None
        if estimate is not None and estimate.value is not None:
            x = axes.x(100 * estimate.value)
            line = [(x, axes.y.start), (x, axes.y.end)]
            axes.drawing.path(line, "ink", stroke_dasharray="1 4", stroke_width=1.5)

    def _draw_line(self, axes: Axes, name: str, entry: MarkedRow, y: float) -> None:
        drawing, mark = axes.drawing, entry.mark
        drawing.open_group(self._text(name, entry))
        drawing.text(mark.letter, (axes.x.start - 8, y + 4), "letter", anchor="end")
        estimate = self._estimate(name, entry)
        if estimate is not None and estimate.value is not None:
            if estimate.low is not None and estimate.high is not None:
                ends = [(axes.x(100 * bound), y) for bound in (estimate.low, estimate.high)]
                drawing.path(ends, stroke=mark.colour, stroke_width=2)
            drawing.mark(mark, (axes.x(100 * estimate.value), y), size=4)
        drawing.close_group()

    def _text(self, name: str, entry: MarkedRow) -> str:
        return f"{entry.mark.letter} {percent_interval(self._estimate(name, entry))}"
