"""The confusion matrix: a row for each true class, a column for each outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekd.bench.report.pictures.svg import Drawing
from edgekd.evaluation.pictures.words import LETTER_WIDTH, cut

__all__ = ["confusion_picture"]

_CELL, _LINE, _TURN = 38.0, 26.0, -40.0
_MOST_LABEL = 110.0
_COLOUR = "#0072B2"
_DARKEST = 0.55
"""Opacity of a cell with its whole row, on which numbers stay legible in light and dark mode."""


def confusion_picture(counts: Mapping[str, Sequence[int]], columns: Sequence[str]) -> str:
    """The matrix, each cell as dark as its share of its row; columns behind the classes set apart.

    Args:
        counts: Images by outcome for each true class, in the order of the classes.
        columns: The classes as answers, then other outcomes.
    """
    left = min(_MOST_LABEL, 14 + LETTER_WIDTH * max(map(len, counts)))
    top = 14 + 0.65 * min(_MOST_LABEL, LETTER_WIDTH * max(map(len, columns)))
    apart = [0.0 if name in counts else 8.0 for name in columns]
    width = left + _CELL * len(columns) + max(apart) + 44
    drawing = Drawing(width, top + _LINE * len(counts) + 4)
    places = [left + _CELL * index + gap for index, gap in enumerate(apart)]
    for name, x in zip(columns, places, strict=True):
        words = cut(name, _MOST_LABEL)
        drawing.text(words, (x + _CELL / 2 - 4, top - 5), anchor="start", turn=_TURN)
    for line, (name, row) in enumerate(counts.items()):
        y = top + _LINE * line
        drawing.text(cut(name, left - 8), (left - 6, y + 17), "ink-text", anchor="end")
        _draw_row(drawing, name, row, columns, places, y)
    lines = "; ".join(f"{name}: {_in_words(row, columns)}" for name, row in counts.items())
    return drawing.svg(f"Confusion matrix, true classes in rows. {lines}.")


def _draw_row(
    drawing: Drawing,
    name: str,
    row: Sequence[int],
    columns: Sequence[str],
    places: Sequence[float],
    y: float,
) -> None:
    total = sum(row) or 1
    for column, number, x in zip(columns, row, places, strict=True):
        share = number / total
        drawing.open_group(f"{number} of {total} images of {name}: {column}")
        opacity = round(_DARKEST * share, 3)
        drawing.box((x + 1, y + 1), (_CELL - 2, _LINE - 2), fill=_COLOUR, fill_opacity=opacity)
        kind = "ink" if name == column else "grid"
        corners = [(x + 1, y + 1), (x + _CELL - 1, y + 1), (x + _CELL - 1, y + _LINE - 1)]
        drawing.area([*corners, (x + 1, y + _LINE - 1)], kind, fill="none")
        if number:
            drawing.text(f"{number}", (x + _CELL / 2, y + 17), "ink-text")
        drawing.close_group()


def _in_words(row: Sequence[int], columns: Sequence[str]) -> str:
    parts = (f"{number} {name}" for name, number in zip(columns, row, strict=True) if number)
    return ", ".join(parts) or "no image"
