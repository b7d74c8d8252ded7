"""An occlusion map over its photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.report.pictures.svg import Drawing

__all__ = ["map_picture"]

_SIDE = 176.0
_SPEAKS_FOR, _SPEAKS_AGAINST = "#D55E00", "#0072B2"
_STRONGEST = 0.7
"""Opacity of the cell with the largest change, under which the photo can still be seen."""
_FAINTEST = 0.02
"""A change of the probability that is drawn at full strength at least: noise stays faint."""


def map_picture(changes: NDArray[np.float64], jpeg: str, name: str) -> str:
    """Where the photo speaks for the answer (orange) and against it (blue), stronger is more.

    Args:
        changes: How much the probability of the answer falls where a cell is hidden, [G, G].
        jpeg: The photo as a square JPEG in base64.
        name: The answer, for screen readers.
    """
    drawing = Drawing(_SIDE, _SIDE)
    drawing.image(jpeg, (0, 0), (_SIDE, _SIDE))
    cell = _SIDE / len(changes)
    largest = max(float(np.abs(changes).max()), _FAINTEST)
    for row, line in enumerate(changes.tolist()):
        for column, change in enumerate(line):
            opacity = _STRONGEST * abs(change) / largest
            if opacity >= 0.01:
                colour = _SPEAKS_FOR if change > 0 else _SPEAKS_AGAINST
                corner = column * cell, row * cell
                drawing.box(corner, (cell, cell), fill=colour, fill_opacity=round(opacity, 3))
    down, across = np.unravel_index(int(changes.argmax()), changes.shape)
    where = f"row {down + 1}, column {across + 1} of {len(changes)}"
    fall = f"hiding {where} lowers the probability most, by {100 * changes.max():.0f} points"
    return drawing.svg(f"Occlusion map for {name}: {fall}.")
