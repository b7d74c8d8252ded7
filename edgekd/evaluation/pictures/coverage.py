"""Share of images that are answered against the share of wrong answers among them."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.bench.report.pictures.svg import Axes, Drawing, Scale
from edgekd.evaluation.pictures.curves import DrawnCurve, thinned

__all__ = ["coverage_picture"]

_WIDTH, _HEIGHT = 360.0, 260.0
_MOST_POINTS = 250
_LEAST_COVERAGE = 0.05
"""Below it a curve is of a handful of images, and one error would set the scale."""


def coverage_picture(curves: Sequence[DrawnCurve]) -> str:
    """Errors among the answers, were only the most confident images answered.

    A mark is what the whole decision of a bundle does: its refer band is a point on the curve, and
    its other rules take the mark off it.

    Args:
        curves: Coverage and error of each model, 0…1, with its own point.
    """
    lines = [_visible(each) for each in curves]
    errors = [y for line in lines for _, y in line]
    errors += [100 * point.y for each in curves for point in each.points]
    axes = Axes(
        Drawing(_WIDTH, _HEIGHT),
        Scale(0.0, 100.0, 34, _WIDTH - 12),
        Scale(0.0, max(1.0, 1.08 * max(errors, default=1.0)), _HEIGHT - 42, 24),
    )
    axes.grid_x("answered, % of all images")
    axes.grid_y("wrong, % of the answered")
    for each, line in zip(curves, lines, strict=True):
        _draw(axes, each, line)
    parts = (f"{each.label}: {_in_words(each)}" for each in curves)
    return axes.drawing.svg(f"Coverage against error. {'; '.join(parts)}.")


def _visible(each: DrawnCurve) -> list[tuple[float, float]]:
    x, y = each.curve.x, each.curve.y
    chosen = [index for index in thinned(len(x), _MOST_POINTS) if x[index] >= _LEAST_COVERAGE]
    return [(100 * float(x[index]), 100 * float(y[index])) for index in chosen]


def _draw(axes: Axes, each: DrawnCurve, line: Sequence[tuple[float, float]]) -> None:
    drawing = axes.drawing
    drawing.open_group(each.label)
    places = [(axes.x(x), axes.y(y)) for x, y in line]
    drawing.path(places, stroke=each.mark.colour, stroke_width=2)
    drawing.close_group()
    for point in each.points:
        drawing.open_group(f"{each.label}, {point.text}: {_in_words(each)}")
        drawing.mark(each.mark, (axes.x(100 * point.x), axes.y(100 * point.y)), hollow=point.hollow)
        drawing.close_group()


def _in_words(each: DrawnCurve) -> str:
    return ", ".join(
        f"{point.text} {100 * point.x:.1f} % answered, {100 * point.y:.1f} % of them wrong"
        for point in each.points
    )
