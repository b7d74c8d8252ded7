"""Accuracy over time per image, with the Pareto front of each device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgekd.bench.report.formats import estimate_text, milliseconds
from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.report.pictures.svg import Axes, Drawing, Point, Scale, padded
from edgekd.bench.result import Estimate
from edgekd.bench.task import MetricColumn

__all__ = ["accuracy_latency", "pareto"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 16, 26, 46
_REACH = 14.0
_DIRECTIONS = tuple(
    (math.cos(turn * math.pi / 4), -math.sin(turn * math.pi / 4)) for turn in range(8)
)


@dataclass(frozen=True)
class _Spot:
    """Time and accuracy of a row, with bounds, in the units of the axes."""

    entry: MarkedRow
    x: float
    x_bounds: tuple[float, float]
    y: float
    y_bounds: tuple[float, float]


def accuracy_latency(
    entries: Sequence[MarkedRow],
    metric: MetricColumn,
    *,
    width: float = 900,
    height: float = 420,
) -> str | None:
    """The task's first metric over p90 of the model call, with intervals, log scale.

    Over p50, for all rows, where one of them has no p90.
    The teacher's accuracy is a dotted line, the Pareto front of each device (only of rows with
    valid times) a dashed one.

    Args:
        entries: Rows of one timed span.
        metric: The accuracy axis; more is better.
        width: Width of the picture in SVG units.
        height: Height of the picture in SVG units.

    Returns:
        An SVG element; None where no row has both numbers.
    """
    timed = [entry.latency.model for entry in entries if entry.latency is not None]
    tail = all(series.p90 is not None for series in timed)
    spots = [spot for entry in entries if (spot := _spot(entry, metric, tail)) is not None]
    if not spots:
        return None
    teacher = _teachers_accuracy(entries, metric)
    axes = _axes(spots, metric, teacher, width, height)
    axes.grid_x(f"milliseconds per image, {'p90' if tail else 'p50'} of the model call (log scale)")
    name = metric.title[:1].lower() + metric.title[1:]
    axes.grid_y(f"{name}, {metric.unit}" if metric.unit else name)
    _draw_teacher(axes, teacher)
    for device in dict.fromkeys(id(spot.entry.result) for spot in spots):
        _draw_front(axes, [spot for spot in spots if id(spot.entry.result) == device])
    for spot in spots:
        _draw_spot(axes, metric, spot)
    _draw_letters(axes, spots)
    names = "; ".join(_words(spot, metric) for spot in spots)
    return axes.drawing.svg(f"{metric.title} over time per image. {names}.")


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other point dominates (lower x, higher y), by ascending x."""
    front: list[Point] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def _spot(entry: MarkedRow, metric: MetricColumn, tail: bool) -> _Spot | None:
    estimate, latency = metric.estimate(entry.row.metrics), entry.latency
    if estimate is None or latency is None or estimate.value is None:
        return None
    series, scale = latency.model, _scale(metric)
    x, interval = series.p50, series.p50_interval
    if tail and series.p90 is not None:
        x, interval = series.p90, series.p90_interval
    y = scale * estimate.value
    return _Spot(entry, x, interval or (x, x), y, _bounds(estimate, y, scale))


def _scale(metric: MetricColumn) -> float:
    return 100.0 if metric.percent else 1.0


def _bounds(estimate: Estimate, value: float, scale: float) -> tuple[float, float]:
    if estimate.low is None or estimate.high is None:
        return value, value
    return scale * estimate.low, scale * estimate.high


def _axes(
    spots: Sequence[_Spot],
    metric: MetricColumn,
    teacher: float | None,
    width: float,
    height: float,
) -> Axes:
    x_low, x_high = padded((bound for spot in spots for bound in spot.x_bounds), log=True)
    bounds = [bound for spot in spots for bound in spot.y_bounds]
    y_low, y_high = padded(bounds if teacher is None else [*bounds, teacher])
    if metric.percent:
        y_low, y_high = max(y_low, 0.0), min(y_high, 100.0)
    return Axes(
        Drawing(width, height),
        Scale(x_low, x_high, _LEFT, width - _RIGHT, log=True),
        Scale(y_low, y_high, height - _BOTTOM, _TOP),
    )


def _teachers_accuracy(entries: Sequence[MarkedRow], metric: MetricColumn) -> float | None:
    teacher = next((entry for entry in entries if entry.row.role == "teacher"), None)
    estimate = metric.estimate(teacher.row.metrics) if teacher is not None else None
    if estimate is None or estimate.value is None:
        return None
    return _scale(metric) * estimate.value


def _draw_teacher(axes: Axes, teacher: float | None) -> None:
    """A line at the teacher's accuracy, also where its speed is not known."""
    if teacher is None:
        return
    y, ends = axes.y(teacher), (axes.x.start, axes.x.end)
    line = [(x, y) for x in ends]
    axes.drawing.path(line, "ink", stroke_dasharray="1 4", stroke_width=1.5)
    axes.drawing.text("teacher's accuracy", (axes.x.start + 4, y - 5), anchor="start")


def _draw_front(axes: Axes, spots: Sequence[_Spot]) -> None:
    valid = [spot for spot in spots if spot.entry.row.valid]
    front = pareto([(spot.x, spot.y) for spot in valid])
    if not front:
        return
    steps: list[Point] = []
    for x, y in front:
        if steps:
            steps.append((axes.x(x), steps[-1][1]))
        steps.append((axes.x(x), axes.y(y)))
    steps.append((axes.x.end, steps[-1][1]))
    axes.drawing.path(steps, "ink front", stroke_dasharray="5 4", stroke_width=1.2)


def _draw_spot(axes: Axes, metric: MetricColumn, spot: _Spot) -> None:
    drawing, mark = axes.drawing, spot.entry.mark
    place = axes.x(spot.x), axes.y(spot.y)
    drawing.open_group(_words(spot, metric))
    for ends in (
        [(place[0], axes.y(bound)) for bound in spot.y_bounds],
        [(axes.x(bound), place[1]) for bound in spot.x_bounds],
    ):
        drawing.path(ends, stroke=mark.colour, stroke_width=1.5, opacity=0.7)
    drawing.mark(mark, place, size=5.5, hollow=not spot.entry.row.valid)
    drawing.close_group()


def _words(spot: _Spot, metric: MetricColumn) -> str:
    row = spot.entry.row
    accuracy = estimate_text(metric.estimate(row.metrics), percentage=metric.percent)
    accuracy = f"{accuracy} {metric.unit}".strip()
    flagged = "" if row.valid else ", times flagged"
    name = f"{spot.entry.mark.letter} {spot.entry.label}"
    return f"{name}: {milliseconds(spot.x)} ms, {accuracy}{flagged}"


def _draw_letters(axes: Axes, spots: Sequence[_Spot]) -> None:
    """Each letter beside its point, where there is most room."""
    places = [(axes.x(spot.x), axes.y(spot.y)) for spot in spots]
    occupied: list[Point] = list(places)
    for spot, place in zip(spots, places, strict=True):
        letter = spot.entry.mark.letter
        rooms = _rooms(axes, place, 3.5 * (len(letter) - 1))
        best = max(rooms, key=lambda free: _room(free, place, occupied))
        occupied.append(best)
        if math.dist(best, place) > _REACH * 1.5:
            axes.drawing.path([place, best], "grid")
        axes.drawing.text(letter, (best[0], best[1] + 4), "letter")


def _rooms(axes: Axes, place: Point, wider: float) -> list[Point]:
    """Places for a text around a point, inside the axes; it is `wider` than a single letter."""
    around = [
        (place[0] + reach * dx + math.copysign(wider, dx) * (abs(dx) > 0.1), place[1] + reach * dy)
        for reach in (_REACH, 1.9 * _REACH)
        for dx, dy in (*_DIRECTIONS[1::2], *_DIRECTIONS[::2])
    ]
    inside = [
        (x, y)
        for x, y in around
        if axes.x.start + 6 < x < axes.x.end - 4 and axes.y.end + 6 < y < axes.y.start - 6
    ]
    return inside or around


def _room(free: Point, place: Point, occupied: Sequence[Point]) -> float:
    """Distance to the nearest other mark, capped: more than enough is no better."""
    others = [math.dist(free, other) for other in occupied if other != place]
    near = math.dist(free, place) <= _REACH * 1.5
    straight = min(abs(free[0] - place[0]), abs(free[1] - place[1])) < 1  # lies on a whisker
    return min([*others, 20.0]) + (2.0 if near else 0.0) - (4.0 if straight else 0.0)
