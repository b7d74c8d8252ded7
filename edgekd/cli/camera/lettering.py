"""Text on small pictures: sized in pixels, wrapped to a width, in OpenCV's own font."""

from __future__ import annotations

import unicodedata
from typing import Any

import cv2

__all__ = ["plain", "width_of", "wrapped", "write"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL = 21.0
"""Height of a capital letter of `_FONT` at scale 1, in pixels."""


def plain(text: str) -> str:
    """The text in ASCII, since OpenCV's own fonts have no other characters in every version."""
    simple = unicodedata.normalize("NFKD", text.replace("–", "-").replace("≥", ">="))
    kept = "".join(letter for letter in simple if not unicodedata.combining(letter))
    return kept.encode("ascii", "replace").decode()


def width_of(text: str, height: int) -> int:
    """Width in pixels of a text whose capital letters are `height` pixels high."""
    (width, _), _ = cv2.getTextSize(plain(text), _FONT, height / _CAPITAL, _weight(height))
    return int(width)


def wrapped(text: str, height: int, width: int) -> list[str]:
    """The text in lines of at most `width` pixels; a longer word gets a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, height) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def write(
    canvas: Any, text: str, left: int, base: int, height: int, colour: tuple[int, int, int]
) -> None:
    """Write on `canvas`, in place: from the column `left`, with the baseline on row `base`."""
    scale, weight = height / _CAPITAL, _weight(height)
    cv2.putText(canvas, plain(text), (left, base), _FONT, scale, colour, weight, cv2.LINE_AA)


def _weight(height: int) -> int:
    return max(1, round(height / 10))
