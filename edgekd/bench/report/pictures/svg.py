"""Basic shapes of SVG: scales, ticks, axes, marks.

Colours of the page are CSS variables, so that a picture fits light mode, dark mode and print; it
has no identifiers that could clash and no addresses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from edgekd.bench.report.formats import plain_number
from edgekd.bench.report.marked_rows import Mark

__all__ = ["Axes", "Drawing", "Scale", "padded"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """Maps values to positions: linear, or logarithmic where the values span decades."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Position of a value."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the scale, at most `most`."""
        ticks = _log_ticks(self.low, self.high, most) if self.log else []
        return ticks if len(ticks) >= 3 else _linear_ticks(self.low, self.high, most)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(step * index, 10) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [times * 10.0**power for power in exponents for times in steps]
        inside = [value for value in ticks if low <= value <= high]
        if len(inside) <= most:
            return inside
    return inside[:: math.ceil(len(inside) / most)]


def padded(
    values: Iterable[float], share: float = 0.08, *, log: bool = False
) -> tuple[float, float]:
    """Bounds of the values with a margin of `share` of their span, never empty."""
    known = list(values)
    low, high = min(known), max(known)
    if log:
        margin = max((high / low) ** share, 1.15)
        return low / margin, high * margin
    margin = (high - low) * share or abs(high) * share or 1.0
    return low - margin, high + margin


@dataclass
class Drawing:
    """An SVG element under construction; units are CSS pixels at its natural size."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def path(self, points: Sequence[Point], kind: str = "", **style: str | float) -> None:
        """A line through the points."""
        d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.parts.append(f'<path d="{d}"{_class(kind)}{_style(style)}/>')

    def area(self, points: Sequence[Point], kind: str = "", **style: str | float) -> None:
        """A closed shape."""
        d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
        self.parts.append(f'<path d="{d}"{_class(kind)}{_style(style)}/>')

    def box(
        self, corner: Point, size: tuple[float, float], kind: str = "", **style: str | float
    ) -> None:
        """A rectangle from its upper left corner; a width that would vanish stays visible."""
        (x, y), (width, height) = corner, size
        where = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}"'
        self.parts.append(f"<rect {where}{_class(kind)}{_style(style)}/>")

    def text(
        self,
        words: str,
        place: Point,
        kind: str = "tick",
        anchor: str = "middle",
        turn: float = 0.0,
    ) -> None:
        """Words at a baseline point, turned clockwise by degrees around it."""
        where = f'x="{place[0]:.1f}" y="{place[1]:.1f}"'
        if turn:
            where += f' transform="rotate({turn:g} {place[0]:.1f} {place[1]:.1f})"'
        self.parts.append(
            f'<text {where} text-anchor="{anchor}"{_class(kind)}>{escape(words)}</text>'
        )

    def mark(self, mark: Mark, place: Point, *, size: float = 5.0, hollow: bool = False) -> None:
        """The shape of a row: square, triangle or circle; hollow where its times are flagged."""
        x, y = place
        fill = "var(--paper)" if hollow else mark.colour
        style = f'fill="{fill}" stroke="{mark.colour if hollow else "var(--paper)"}"'
        style += f' stroke-width="{2 if hollow else 1}"'
        if mark.shape == "circle":
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" {style}/>')
            return
        corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
        if mark.shape == "triangle":
            corners = [(0.0, -1.25), (1.2, 0.95), (-1.2, 0.95)]
        d = "M" + "L".join(f"{x + size * dx:.1f} {y + size * dy:.1f}" for dx, dy in corners) + "Z"
        self.parts.append(f'<path d="{d}" {style}/>')

    def image(self, jpeg: str, corner: Point, size: tuple[float, float]) -> None:
        """A JPEG in base64, inside of the picture."""
        (x, y), (width, height) = corner, size
        where = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self.parts.append(f'<image {where} href="data:image/jpeg;base64,{jpeg}"/>')

    def open_group(self, title: str) -> None:
        """Begin a group; `title` is its tooltip."""
        self.parts.append(f"<g><title>{escape(title)}</title>")

    def close_group(self) -> None:
        """End of the group."""
        self.parts.append("</g>")

    def svg(self, label: str) -> str:
        """The element; `label` is what a screen reader says."""
        size = f'viewBox="0 0 {self.width:g} {self.height:g}"'
        shape = f'style="max-width: {round(self.width * 1.12)}px"'
        body = "".join(self.parts)
        return f'<svg {size} {shape} role="img" aria-label="{escape(label)}">{body}</svg>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _style(style: dict[str, str | float]) -> str:
    return "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())


@dataclass(frozen=True)
class Axes:
    """Two scales on a drawing."""

    drawing: Drawing
    x: Scale
    y: Scale

    def grid_x(self, unit: str, most: int = 6) -> None:
        """Vertical lines with their values below, and the unit."""
        bottom, top = self.y.start, self.y.end
        for value in self.x.ticks(most):
            place = self.x(value)
            self.drawing.path([(place, bottom), (place, top)], "grid")
            self.drawing.text(plain_number(value), (place, bottom + 14))
        if unit:
            middle = (self.x.start + self.x.end) / 2
            self.drawing.text(unit, (middle, bottom + 34))

    def grid_y(self, unit: str, most: int = 5) -> None:
        """Horizontal lines with their values on the left, and the unit above."""
        for value in self.y.ticks(most):
            place = self.y(value)
            self.drawing.path([(self.x.start, place), (self.x.end, place)], "grid")
            self.drawing.text(plain_number(value), (self.x.start - 6, place + 4), anchor="end")
        if unit:
            self.drawing.text(unit, (0, self.y.end - 8), anchor="start")
