"""The overlay on a frame: a pure function of the frame and its prediction.

Nothing depends on colour alone: each decision has a sign and a word of its own. The label is shown
only where the decision is `answer`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.cli.camera.gauges import draw_gauges, gauges_of
from edgekd.cli.camera.lettering import width_of, wrapped, write
from edgekd.cli.camera.signs import draw_sign
from edgekd.cli.prediction_text import answers_of

if TYPE_CHECKING:
    from edgekd.bundle import CaptureRule
    from edgekd.runtime import Prediction

__all__ = ["draw_overlay"]

BgrFrame = NDArray[np.uint8]
"""BGR, as OpenCV's cameras and windows have it, uint8 [H, W, 3]."""

_WHITE = (255, 255, 255)
_GREY = (200, 200, 200)
_SHADE = 0.2  # brightness of the picture behind text; white text then has a contrast above 10
_OF_THE_ANSWER = {"not-finite", "unsure", "not-excluded", "unfamiliar"}
_NUMBERS = re.compile(r" \([^)]*\)")
_MOST_OF_THE_HEIGHT = 0.5


def draw_overlay(
    frame: BgrFrame,
    prediction: Prediction,
    rule: CaptureRule | None = None,
    *,
    screen: tuple[int, int] | None = None,
    live: BgrFrame | None = None,
) -> BgrFrame:
    """The frame with its prediction drawn on it.

    Args:
        frame: BGR uint8 [H, W, 3].
        prediction: The prediction for that frame.
        rule: The bundle's limits of a photo, for the bars; None omits them.
        screen: Width and height to fit the frame to, so that letters are drawn at their final
            size; they are legible from about 300 x 200 on. None keeps the size of the frame.
        live: The live frame where `frame` is frozen. It is shown small in a corner, so that the
            next photo can be aimed.

    Returns:
        A new picture, BGR uint8, of the size of the frame or the screen.
    """
    size = screen or (frame.shape[1], frame.shape[0])
    canvas = _fitted(frame, *size)
    letters = _letters(canvas)
    _mark_square(canvas, frame, letters)
    top = _draw_verdict(canvas, prediction, letters, frozen=live is not None)
    _draw_facts(canvas, prediction, rule, letters)
    if live is not None:
        _draw_inset(canvas, live, top, letters)
    return canvas


def _fitted(frame: BgrFrame, width: int, height: int) -> BgrFrame:
    """A copy scaled to fit that size, on black where the aspect ratio differs."""
    ratio = _ratio(frame, width, height)
    size = max(1, round(frame.shape[1] * ratio)), max(1, round(frame.shape[0] * ratio))
    way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(frame, size, interpolation=way)
    return canvas


def _ratio(frame: BgrFrame, width: int, height: int) -> float:
    return float(min(width / frame.shape[1], height / frame.shape[0]))


def _letters(frame: BgrFrame) -> int:
    """Height of a capital letter of the small text, in pixels."""
    height, width = frame.shape[:2]
    return max(8, round(0.033 * float(min(height, 0.75 * width))))


def _mark_square(canvas: BgrFrame, frame: BgrFrame, letters: int) -> None:
    """Outline the square that the network sees, where that is not the whole canvas."""
    height, width = canvas.shape[:2]
    side = round(min(frame.shape[:2]) * _ratio(frame, width, height))
    left, top = (width - side) // 2, (height - side) // 2
    corner, thickness = (left + side - 1, top + side - 1), max(1, letters // 8)
    if side < max(width, height):
        cv2.rectangle(canvas, (left, top), corner, _WHITE, thickness)


def _draw_verdict(canvas: BgrFrame, prediction: Prediction, letters: int, *, frozen: bool) -> int:
    """Draw sign, heading and reasons at the top; returns the row where they end."""
    width, gap, head = canvas.shape[1], letters // 2 + 2, round(1.8 * letters)
    row = round(1.8 * letters)
    most = int(canvas.shape[0] * _MOST_OF_THE_HEIGHT - head - 2 * gap) // row
    lines = _shortened(_reasons(prediction), letters, width - 2 * gap, most)
    bottom = head + 2 * gap + row * len(lines) + (gap // 2 if lines else 0)
    _shade(canvas, 0, bottom)
    draw_sign(canvas, prediction.decision, gap, gap, head)
    left = 2 * gap + head
    word = "frozen" if frozen else ""
    right = width - gap - width_of(word, letters)
    write(canvas, _heading(prediction, head, right - left), left, gap + head, head, _WHITE)
    write(canvas, word, right, gap + head, letters, _GREY)
    for index, line in enumerate(lines):
        write(canvas, line, gap, head + 2 * gap + row * index + letters, letters, _WHITE)
    return bottom


def _heading(prediction: Prediction, letters: int, width: int) -> str:
    """The answers, or the decision; the number of answers where their names do not fit."""
    if prediction.decision != "answer":
        return prediction.decision.upper()
    answers = answers_of(prediction)
    alone = answers[0] if len(answers) == 1 else f"{len(answers)} findings"
    return _fitting(answers, letters, width) or alone


def _reasons(prediction: Prediction) -> list[str]:
    """Reasons about the photo, without the numbers that the bars show; else all reasons."""
    if prediction.decision != "retake":
        return [reason.text for reason in prediction.reasons]
    faults = [reason for reason in prediction.reasons if reason.code not in _OF_THE_ANSWER]
    return [_NUMBERS.sub("", reason.text) for reason in faults]


def _shortened(texts: list[str], letters: int, width: int, most: int) -> list[str]:
    """Whole reasons in at most `most` lines, and the number of those omitted."""
    lines: list[str] = []
    for index, text in enumerate(texts):
        more = wrapped(f"- {text}", letters, width)
        room = most - (1 if index < len(texts) - 1 else 0)
        if lines and len(lines) + len(more) > room:
            return [*lines, f"and {len(texts) - index} more"]
        lines += more
    return lines[:most]


def _draw_facts(
    canvas: BgrFrame, prediction: Prediction, rule: CaptureRule | None, letters: int
) -> None:
    """Draw conformal set, time and the measures of the photo at the bottom."""
    height, width, gap = canvas.shape[0], canvas.shape[1], letters // 2 + 2
    gauges = gauges_of(prediction.quality, rule)
    bars = round(3.2 * letters) if gauges else 0
    top = height - bars - letters - 2 * gap
    _shade(canvas, top, height)
    base = top + gap + letters
    spent = f"{sum(prediction.timings_ms.values()):.0f} ms"
    room = width - 3 * gap - width_of(spent, letters)
    write(canvas, spent, width - gap - width_of(spent, letters), base, letters, _GREY)
    write(canvas, _plausible(prediction, letters, room), gap, base, letters, _WHITE)
    if gauges:
        area = gap, base + gap, width - 2 * gap, bars - gap // 2
        draw_gauges(canvas, gauges, area, round(0.85 * letters))


def _plausible(prediction: Prediction, letters: int, width: int) -> str:
    """The conformal set; empty for a photo that has to be taken again."""
    if prediction.conformal_set is None or prediction.decision == "retake":
        return ""
    lead = "not excluded: "
    names = list(prediction.conformal_set)
    shown = _fitting(names, letters, width - width_of(lead, letters))
    return f"{lead}{shown or f'{len(names)} classes'}"


def _fitting(texts: list[str], letters: int, width: int) -> str:
    """As many of the texts as fit, and the number of the others; empty where none fits."""
    for kept in range(len(texts), 0, -1):
        others = f" +{len(texts) - kept}" if kept < len(texts) else ""
        line = f"{', '.join(texts[:kept])}{others}"
        if width_of(line, letters) <= width:
            return line
    return ""


def _draw_inset(canvas: BgrFrame, live: BgrFrame, top: int, letters: int) -> None:
    """Draw the live picture, framed, below the text on the right."""
    width, gap = canvas.shape[1] // 4, letters // 2 + 2
    small = _fitted(live, width, max(1, round(width * live.shape[0] / live.shape[1])))
    left, top = canvas.shape[1] - width - gap, top + gap
    region = canvas[top : top + small.shape[0], left : left + width]
    region[:] = small[: region.shape[0]]
    bottom = top + region.shape[0]
    cv2.rectangle(canvas, (left - 2, top - 2), (left + width + 1, bottom + 1), _WHITE, 2)
    _shade(canvas, bottom - letters - gap, bottom - 1, left, left + width)
    write(canvas, "live", left + gap, bottom - gap // 2 - 1, letters, _WHITE)


def _shade(
    canvas: BgrFrame, top: int, bottom: int, left: int = 0, right: int | None = None
) -> None:
    region = canvas[max(0, top) : bottom, left:right]
    region[:] = (region * _SHADE).astype(np.uint8)
