"""What a model does with the images of each class, as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping

from edgekd.bench.report.pictures.svg import Drawing
from edgekd.evaluation.document import ClassOutcome
from edgekd.evaluation.pictures.words import cut

__all__ = ["PARTS", "decisions_picture"]

_WIDTH, _LEFT, _RIGHT, _LINE, _BAR = 400.0, 92.0, 44.0, 28.0, 20.0

PARTS = (
    ("answered_right", "answered", "answered right"),
    ("answered_wrong", "missed", "answered as something else"),
    ("referred", "referred", "referred"),
    ("retaken", "retaken", "to be taken again"),
)
"""Field of `ClassOutcome`, style and words of each part of a bar."""


def decisions_picture(outcomes: Mapping[str, ClassOutcome]) -> str:
    """A bar for each class, with the number of its images behind it.

    Parts differ without colours too: plain, crossed, striped, open.

    Args:
        outcomes: The outcome of each class, in the order to draw.
    """
    drawing = Drawing(_WIDTH, _LINE * len(outcomes) + 4)
    lines = [
        _draw_bar(drawing, name, outcome, index * _LINE + 4)
        for index, (name, outcome) in enumerate(outcomes.items())
    ]
    return drawing.svg(f"Decisions by class. {'; '.join(lines)}.")


def _draw_bar(drawing: Drawing, name: str, outcome: ClassOutcome, y: float) -> str:
    words = ", ".join(f"{getattr(outcome, field).count} {text}" for field, _, text in PARTS)
    drawing.open_group(f"{name}: {words}")
    drawing.text(cut(name, _LEFT - 8), (_LEFT - 6, y + 14), "ink-text", anchor="end")
    x, room = _LEFT, _WIDTH - _LEFT - _RIGHT
    for field, kind, _ in PARTS:
        share = getattr(outcome, field)
        width = room * (share.value or 0.0)
        if share.count:
            drawing.box((x, y), (width, _BAR), f"share {kind}")
            _draw_pattern(drawing, kind, x, y, width)
            if width > 30:
                text = "on-solid" if kind in ("answered", "missed") else "on-open"
                drawing.text(f"{share.count}", (x + width / 2, y + 14), text)
        x += width
    drawing.text(f"{outcome.images:,}", (_WIDTH - 2, y + 14), anchor="end")
    drawing.close_group()
    return f"{name}: {words}"


def _draw_pattern(drawing: Drawing, kind: str, x: float, y: float, width: float) -> None:
    """Upright stripes where it is referred, slanted ones where it is missed."""
    slant = {"referred": 0.0, "missed": 5.0}.get(kind)
    position = x + 4.0
    while slant is not None and position + slant < x + width - 1:
        drawing.path([(position, y + _BAR), (position + slant, y)], "stripe")
        position += 6.0
