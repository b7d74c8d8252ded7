"""ROC and precision-recall curves of several models, with the operating points that they use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekd.bench.report.marked_rows import Mark
from edgekd.bench.report.pictures.svg import Axes, Drawing, Point, Scale
from edgekd.metrics.curves import Curve

__all__ = ["DrawnCurve", "OperatingMark", "precision_recall_picture", "roc_picture", "thinned"]

_WIDTH, _HEIGHT = 340.0, 320.0
_MOST_POINTS = 250


@dataclass(frozen=True)
class OperatingMark:
    """An operating point of a model.

    Attributes:
        x: Share on the horizontal axis, 0…1.
        y: Share on the vertical axis, 0…1.
        text: What the model does there.
        hollow: Whether it is drawn hollow, to tell it from the model's other point.
    """

    x: float
    y: float
    text: str
    hollow: bool = False


@dataclass(frozen=True)
class DrawnCurve:
    """The curve of one model.

    Attributes:
        mark: How the model is drawn.
        label: Its name.
        curve: The curve, shares 0…1.
        points: Its operating points.
    """

    mark: Mark
    label: str
    curve: Curve
    points: Sequence[OperatingMark] = ()


def roc_picture(name: str, curves: Sequence[DrawnCurve]) -> str:
    """Sensitivity over the share of false alarms; dotted: answers at random.

    Args:
        name: The class.
        curves: The curve of each model.
    """
    axes = _axes("false alarms, %", "sensitivity, %")
    _draw_line(axes, [(0.0, 0.0), (100.0, 100.0)])
    for each in curves:
        _draw(axes, each, [(x, y) for x, y in _points(each.curve)])
    return axes.drawing.svg(f"ROC curve for {name}. {_in_words(curves)}")


def precision_recall_picture(name: str, curves: Sequence[DrawnCurve], share: float) -> str:
    """Precision over sensitivity, in steps; dotted: answers at random.

    Args:
        name: The class.
        curves: The curve of each model.
        share: Share of the images that show the class.
    """
    axes = _axes("sensitivity, %", "precision, %")
    _draw_line(axes, [(0.0, 100 * share), (100.0, 100 * share)])
    for each in curves:
        _draw(axes, each, list(_steps(_points(each.curve))))
    return axes.drawing.svg(f"Precision-recall curve for {name}. {_in_words(curves)}")


def _axes(x_unit: str, y_unit: str) -> Axes:
    axes = Axes(
        Drawing(_WIDTH, _HEIGHT),
        Scale(0.0, 100.0, 34, _WIDTH - 12),
        Scale(0.0, 100.0, _HEIGHT - 42, 24),
    )
    axes.grid_x(x_unit)
    axes.grid_y(y_unit)
    return axes


def _draw_line(axes: Axes, ends: Sequence[Point]) -> None:
    line = [(axes.x(x), axes.y(y)) for x, y in ends]
    axes.drawing.path(line, "ink", stroke_dasharray="1 4", stroke_width=1.5)


def _points(curve: Curve) -> list[Point]:
    chosen = thinned(len(curve.x), _MOST_POINTS)
    x, y = (100 * curve.x[chosen]).tolist(), (100 * curve.y[chosen]).tolist()
    return list(zip(x, y, strict=True))


def thinned(points: int, most: int) -> list[int]:
    """Indices of at most `most` of the points of a curve, first and last among them."""
    if points <= most:
        return list(range(points))
    return sorted(set(np.linspace(0, points - 1, most).round().astype(int).tolist()))


def _steps(points: Sequence[Point]) -> Iterator[Point]:
    """The points with a corner before each: precision holds until the next one is reached."""
    before = points[0][1]
    for x, y in points:
        yield x, before
        yield x, y
        before = y


def _draw(axes: Axes, each: DrawnCurve, points: Sequence[Point]) -> None:
    drawing = axes.drawing
    drawing.open_group(each.label)
    places = [(axes.x(x), axes.y(y)) for x, y in points]
    drawing.path(places, stroke=each.mark.colour, stroke_width=2)
    drawing.close_group()
    for point in each.points:
        drawing.open_group(f"{each.label}: {_point_in_words(point)}")
        place = axes.x(100 * point.x), axes.y(100 * point.y)
        drawing.mark(each.mark, place, hollow=point.hollow)
        drawing.close_group()


def _in_words(curves: Sequence[DrawnCurve]) -> str:
    lines = (
        f"{each.label}: {', '.join(map(_point_in_words, each.points)) or 'no operating point'}"
        for each in curves
    )
    return f"{'; '.join(lines)}."


def _point_in_words(point: OperatingMark) -> str:
    return f"{point.text} at {100 * point.x:.1f} % and {100 * point.y:.1f} %"
