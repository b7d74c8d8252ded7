"""Shares of the subgroups of several models, below one another, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekd.bench.report.marked_rows import Mark
from edgekd.bench.report.pictures.svg import Axes, Drawing, Scale
from edgekd.evaluation.document import Share
from edgekd.evaluation.pictures.words import cut

__all__ = ["SubgroupLine", "subgroup_picture"]

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 420.0, 128.0, 46.0, 8.0, 40.0
_HEADING, _STEP, _GAP = 24.0, 13.0, 7.0


@dataclass(frozen=True)
class SubgroupLine:
    """One subgroup.

    Attributes:
        attribute: The column that it belongs to.
        name: Its name.
        shares: The share of each model, with its mark; None where it has no such image.
    """

    attribute: str
    name: str
    shares: Sequence[tuple[Mark, Share | None]]


def subgroup_picture(title: str, lines: Sequence[SubgroupLine]) -> str:
    """The shares in percent with their 95 % intervals; the number of images stands behind.

    Args:
        title: What the share is of, for screen readers.
        lines: The subgroups, those of one attribute in a row.
    """
    places, height = _places(lines)
    axes = Axes(
        Drawing(_WIDTH, height + _BOTTOM),
        Scale(0.0, 100.0, _LEFT, _WIDTH - _RIGHT),
        Scale(0.0, 1.0, height, _TOP),
    )
    axes.grid_x("%")
    before = ""
    for line, y in zip(lines, places, strict=True):
        if line.attribute != before:
            words = cut(line.attribute, _LEFT)
            axes.drawing.text(words, (0, y - 8), "letter", anchor="start")
        before = line.attribute
        _draw_line(axes, line, y)
    parts = "; ".join(f"{line.attribute} {line.name}: {_in_words(line)}" for line in lines)
    return axes.drawing.svg(f"{title}. {parts}.")


def _places(lines: Sequence[SubgroupLine]) -> tuple[list[float], float]:
    """The upper end of each line, and that of the axis."""
    places: list[float] = []
    y, before = _TOP, ""
    for line in lines:
        y += _HEADING if line.attribute != before else 0.0
        places.append(y)
        y += _STEP * max(1, len(line.shares)) + _GAP
        before = line.attribute
    return places, y


def _draw_line(axes: Axes, line: SubgroupLine, y: float) -> None:
    drawing = axes.drawing
    middle = y + _STEP * max(1, len(line.shares)) / 2
    drawing.open_group(f"{line.name}: {_in_words(line)}")
    name = cut(line.name, _LEFT - 18)
    drawing.text(name, (_LEFT - 8, middle + 4), "ink-text", anchor="end")
    for index, (mark, share) in enumerate(line.shares):
        if share is not None and share.value is not None:
            _draw_share(axes, mark, share, y + _STEP * (index + 0.5))
    images = next((share.n for _, share in line.shares if share is not None), 0)
    drawing.text(f"{images:,}", (_WIDTH - 2, middle + 4), anchor="end")
    drawing.close_group()


def _draw_share(axes: Axes, mark: Mark, share: Share, y: float) -> None:
    if share.low is not None and share.high is not None:
        ends = [(axes.x(100 * bound), y) for bound in (share.low, share.high)]
        axes.drawing.path(ends, stroke=mark.colour, stroke_width=2)
    axes.drawing.mark(mark, (axes.x(100 * (share.value or 0.0)), y), size=4)


def _in_words(line: SubgroupLine) -> str:
    parts = (
        f"{mark.letter} {share.count} of {share.n}" if share is not None else f"{mark.letter} none"
        for mark, share in line.shares
    )
    return ", ".join(parts)
