"""Small bars for the measures of a photo, with ticks at the limits of the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2

from edgekd.cli.camera.lettering import plain, width_of, write

if TYPE_CHECKING:
    from edgekd.bundle import CaptureRule, Limit
    from edgekd.runtime import CaptureQuality

__all__ = ["Gauge", "draw_gauges", "gauges_of"]

_WHITE = (255, 255, 255)
_GREY = (140, 140, 140)
_BLACK = (0, 0, 0)
_NAMES = {
    "sharpness": "sharp", "brightness": "light", "contrast": "lesion", "off_centre": "centre",
}  # fmt: skip


@dataclass(frozen=True)
class Gauge:
    """The bar of one measure.

    Attributes:
        name: A short name of the measure.
        value: Filled share of the bar, 0 to 1.
        ticks: Positions of the limits on the bar, 0 to 1.
        fault: `low` or `high` where the measure is beyond a limit, else empty.
    """

    name: str
    value: float
    ticks: tuple[float, ...]
    fault: str


def gauges_of(quality: CaptureQuality | None, rule: CaptureRule | None) -> list[Gauge]:
    """Gauges of the measures that have limits, and of the distance from the training images."""
    if quality is None or rule is None:
        return []
    measures = quality.measures.to_dict()
    gauges = [
        _gauge(_NAMES.get(name, name), measures[name], limit.low, limit.high)
        for name, limit in rule.limits.items()
        if name in measures and _is_set(limit)
    ]
    if quality.distance is not None and rule.appearance is not None:
        gauges.append(_gauge("unlike", quality.distance, None, rule.appearance.limit))
    return gauges


def _is_set(limit: Limit) -> bool:
    return limit.low is not None or limit.high is not None


def _gauge(name: str, value: float, low: float | None, high: float | None) -> Gauge:
    ticks = [limit for limit in (low, high) if limit is not None]
    # The upper limit is at three quarters of the bar; a lower limit alone is at half.
    full = max(high / 0.75 if high is not None else 2 * max(ticks), 1e-9)
    fault = "low" if low is not None and value < low else ""
    if high is not None and not value <= high:  # also for NaN
        fault = "high"
    share = min(max(value / full, 0.0), 1.0) if value == value else 1.0
    return Gauge(name, share, tuple(min(max(tick / full, 0.0), 1.0) for tick in ticks), fault)


def draw_gauges(
    canvas: Any, gauges: list[Gauge], area: tuple[int, int, int, int], letters: int
) -> None:
    """Draw gauges side by side on the canvas, in place.

    Args:
        canvas: BGR uint8 [H, W, 3].
        gauges: At least one.
        area: Left, top, width and height in pixels.
        letters: Height of a capital letter in pixels; reduced where a name would not fit.
    """
    left, top, width, height = area
    room = width // len(gauges)
    for index, gauge in enumerate(gauges):
        across = left + index * room
        _name(canvas, gauge, across, top, room, letters)
        _bar(
            canvas,
            gauge,
            (
                across,
                top + letters + letters // 2 + 5,
                room - 6,
                height - letters - letters // 2 - 8,
            ),
        )


def _name(canvas: Any, gauge: Gauge, left: int, top: int, room: int, letters: int) -> None:
    text = f"{plain(gauge.name)} {gauge.fault}".rstrip()
    while letters > 6 and width_of(text, letters) > room - 8:
        letters -= 1
    base = top + letters + 2
    if gauge.fault:
        corner = left + width_of(text, letters) + 3, base + letters // 3 + 1
        cv2.rectangle(canvas, (left, top - 1), corner, _WHITE, cv2.FILLED)
    write(canvas, text, left + 2, base, letters, _BLACK if gauge.fault else _WHITE)


def _bar(canvas: Any, gauge: Gauge, area: tuple[int, int, int, int]) -> None:
    left, top, width, height = area
    bottom = top + max(3, height) - 1
    cv2.rectangle(canvas, (left, top), (left + width, bottom), _GREY, 1)
    filled = left + round(gauge.value * width)
    cv2.rectangle(canvas, (left, top), (filled, bottom), _WHITE, cv2.FILLED)
    for tick in gauge.ticks:
        across = left + round(tick * width)
        cv2.line(canvas, (across, top - 2), (across, bottom + 2), _BLACK, 3)
        cv2.line(canvas, (across, top - 2), (across, bottom + 2), _WHITE, 1)
