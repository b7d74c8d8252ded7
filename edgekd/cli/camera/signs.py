"""One sign for each decision, distinct in shape: a tick, an arrow onwards, an arrow round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from edgekd.runtime.task import Verdict

__all__ = ["draw_sign"]

_BLACK = (0, 0, 0)
# BGR colours that colour-blind people can distinguish (Okabe, Ito 2008, "Color Universal Design").
_COLOURS: dict[str, tuple[int, int, int]] = {
    "answer": (115, 158, 0),
    "refer": (0, 159, 230),
    "retake": (167, 121, 204),
}


def draw_sign(canvas: Any, decision: Verdict, left: int, top: int, side: int) -> None:
    """Draw the sign of a decision in a square of `side` pixels, in place."""
    corner = left + side - 1, top + side - 1
    cv2.rectangle(canvas, (left, top), corner, _COLOURS[decision], cv2.FILLED)
    weight = max(1, side // 8)

    def at(across: float, down: float) -> tuple[int, int]:
        return left + round(across * side), top + round(down * side)

    if decision == "answer":
        cv2.line(canvas, at(0.2, 0.55), at(0.42, 0.75), _BLACK, weight, cv2.LINE_AA)
        cv2.line(canvas, at(0.42, 0.75), at(0.8, 0.25), _BLACK, weight, cv2.LINE_AA)
    elif decision == "refer":
        ends = at(0.15, 0.5), at(0.85, 0.5)
        cv2.arrowedLine(canvas, *ends, _BLACK, weight, cv2.LINE_AA, tipLength=0.45)
    else:
        radius = round(0.27 * side)
        cv2.ellipse(canvas, at(0.5, 0.52), (radius, radius), 0, 0, 285, _BLACK, weight, cv2.LINE_AA)
        head = np.array([at(0.56, 0.06), at(0.56, 0.46), at(0.86, 0.26)], np.int32)
        cv2.fillPoly(canvas, [head], _BLACK, cv2.LINE_AA)
