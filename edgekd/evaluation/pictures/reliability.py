"""The reliability diagram: how often answers of each confidence are right, before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekd.bench.report.marked_rows import Mark
from edgekd.bench.report.pictures.svg import Axes, Drawing, Scale
from edgekd.metrics.curves import ReliabilityBin

__all__ = ["reliability_picture"]

_WIDTH, _HEIGHT = 340.0, 320.0
_LEAST, _LARGEST = 2.5, 7.0


def reliability_picture(
    mark: Mark, after: Sequence[ReliabilityBin], before: Sequence[ReliabilityBin] = ()
) -> str:
    """Share of right answers over confidence; dotted: confidence that is deserved.

    Args:
        mark: How the model is drawn.
        after: Bins of the calibrated probabilities: solid, larger with more images.
        before: Bins of those without temperature: hollow, dashed.
    """
    axes = Axes(
        Drawing(_WIDTH, _HEIGHT),
        Scale(0.0, 100.0, 34, _WIDTH - 12),
        Scale(0.0, 100.0, _HEIGHT - 42, 24),
    )
    axes.grid_x("confidence, %")
    axes.grid_y("right, %")
    ends = [(axes.x(end), axes.y(end)) for end in (0.0, 100.0)]
    axes.drawing.path(ends, "ink", stroke_dasharray="1 4", stroke_width=1.5)
    if before:
        _draw(axes, mark, before, calibrated=False)
    _draw(axes, mark, after, calibrated=True)
    parts = [f"calibrated: {_in_words(after)}"]
    parts += [f"before calibration: {_in_words(before)}"] if before else []
    return axes.drawing.svg(f"Reliability diagram. {'; '.join(parts)}.")


def _draw(axes: Axes, mark: Mark, bins: Sequence[ReliabilityBin], *, calibrated: bool) -> None:
    drawing, total = axes.drawing, max(sum(each.images for each in bins), 1)
    places = [(axes.x(100 * each.confidence), axes.y(100 * each.right)) for each in bins]
    dashes = "none" if calibrated else "5 4"
    drawing.path(places, stroke=mark.colour, stroke_width=2, stroke_dasharray=dashes)
    for each, place in zip(bins, places, strict=True):
        drawing.open_group(f"{_bin_in_words(each)} of {each.images} images")
        size = _LEAST + (_LARGEST - _LEAST) * math.sqrt(each.images / total)
        drawing.mark(mark, place, size=size, hollow=not calibrated)
        drawing.close_group()


def _in_words(bins: Sequence[ReliabilityBin]) -> str:
    return ", ".join(map(_bin_in_words, bins)) or "no images"


def _bin_in_words(each: ReliabilityBin) -> str:
    return f"{100 * each.right:.0f} % right at {100 * each.confidence:.0f} %"
