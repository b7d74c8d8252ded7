"""Names in pictures: cut where there is no room, whole in the tooltip."""

from __future__ import annotations

__all__ = ["LETTER_WIDTH", "cut"]

LETTER_WIDTH = 6.2
"""Width of a letter of a picture's text on average, in pixels."""


def cut(name: str, width: float) -> str:
    """A name that fits into a width in pixels, with an ellipsis where it was cut."""
    most = max(2, int(width / LETTER_WIDTH))
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
