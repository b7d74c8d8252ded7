"""The pictures, as inline SVG that takes its ink from the page (light, dark, printed)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from edgekd.bench.result import Estimate, Row
from edgekd.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Mark", "accuracy_latency", "accuracy_size", "marks_of", "pareto", "sensitivity"]

# Okabe and Ito 2008, without black (invisible in the dark) and yellow (invisible in the light).
_TEACHER, _STUDENT = "#D55E00", "#0072B2"
_ARTEFACTS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_SHAPES = {"teacher": "s", "student": "^", "artefact": "o"}

# Stand-ins that no data has; the page's own colours take their place.
_INK, _FAINT = "#010203", "#040506"
_WIDTH = 5.2  # inches: on a phone the picture is shown at nearly its own size


@dataclass(frozen=True)
class Mark:
    """How a row looks in every picture: a letter, a colour, a shape by role."""

    letter: str
    colour: str
    shape: str


def marks_of(rows: Sequence[Row]) -> list[Mark]:
    """One mark per row, in order."""
    marks, artefacts = [], 0
    for index, row in enumerate(rows):
        colour = {"teacher": _TEACHER, "student": _STUDENT}.get(row.role)
        if colour is None:
            colour = _ARTEFACTS[artefacts % len(_ARTEFACTS)]
            artefacts += 1
        marks.append(Mark(_letter(index), colour, _SHAPES[row.role]))
    return marks


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index + 1)


@dataclass(frozen=True)
class _Point:
    x: float
    x_high: float
    y: Estimate
    mark: Mark


def accuracy_latency(rows: Sequence[Row], marks: Sequence[Mark], name: str) -> str | None:
    """Balanced accuracy over p50 of the model call; None where no row has both."""
    points = []
    for row, mark in zip(rows, marks, strict=True):
        if row.latency_ms is not None and row.metrics is not None:
            series = row.latency_ms.model
            points.append(_Point(series.p50, series.p90, row.metrics.balanced_accuracy, mark))
    label = "milliseconds per image (p50, whisker to p90)"
    return _scatter(points, label, "Balanced accuracy over time per image", name)


def accuracy_size(rows: Sequence[Row], marks: Sequence[Mark], name: str) -> str | None:
    """Balanced accuracy over the size of the model files; None where no row has both."""
    points = []
    for row, mark in zip(rows, marks, strict=True):
        if row.size_bytes and row.metrics is not None:
            size = row.size_bytes / 1e6
            points.append(_Point(size, size, row.metrics.balanced_accuracy, mark))
    return _scatter(points, "megabytes", "Balanced accuracy over size", name)


def sensitivity(rows: Sequence[Row], marks: Sequence[Mark], name: str) -> str | None:
    """Sensitivity of each class with its interval, row by row; None without metrics."""
    drawn = [(row, mark) for row, mark in zip(rows, marks, strict=True) if row.metrics is not None]
    if not drawn:
        return None
    classes = list(drawn[0][0].metrics.per_class) if drawn[0][0].metrics else []

    def draw(axes: Axes) -> None:
        for line, (row, mark) in enumerate(drawn):
            _draw_class_line(axes, row, mark, classes, _offset(line, len(drawn)))
        axes.set_yticks(range(len(classes)), classes)
        axes.set_ylim(len(classes) - 0.5, -0.5)
        axes.set_xlim(_lowest(drawn) - 2, 102)
        axes.set_xlabel("sensitivity, % (whiskers: 95 % interval)")
        for edge in range(1, len(classes)):
            axes.axhline(edge - 0.5, color=_FAINT, linewidth=0.6)

    height = 0.9 + len(classes) * max(0.34, 0.15 * len(drawn))
    return _svg(draw, height, "Sensitivity per class", name)


def _lowest(drawn: Sequence[tuple[Row, Mark]]) -> float:
    """The last multiple of 20 below every whisker, in percent."""
    bounds = [
        each.sensitivity.low if each.sensitivity.low is not None else each.sensitivity.value
        for row, _ in drawn
        if row.metrics is not None
        for each in row.metrics.per_class.values()
    ]
    known = [bound for bound in bounds if bound is not None]
    return 20.0 * (100 * min(known, default=0.0) // 20)


def _offset(line: int, lines: int) -> float:
    return (line - (lines - 1) / 2) * 0.8 / lines


def _draw_class_line(
    axes: Axes, row: Row, mark: Mark, classes: Sequence[str], offset: float
) -> None:
    per_class = row.metrics.per_class if row.metrics is not None else {}
    for index, name in enumerate(classes):
        estimate = per_class[name].sensitivity
        if estimate.value is None:
            continue
        y, value = index + offset, 100 * estimate.value
        if estimate.low is not None and estimate.high is not None:
            bounds = (100 * estimate.low, 100 * estimate.high)
            axes.plot(bounds, (y, y), color=mark.colour, linewidth=1.4)
        axes.plot(value, y, mark.shape, color=mark.colour, markersize=4.5)


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats: lower x or higher y; ascending."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def _scatter(points: Sequence[_Point], x_label: str, title: str, name: str) -> str | None:
    known = [point for point in points if point.y.value is not None]
    if not known:
        return None

    def draw(axes: Axes) -> None:
        axes.set_xscale("log")
        _draw_front(axes, known)
        for point in known:
            _draw_point(axes, point)
        axes.set_xlabel(f"{x_label}, log scale")
        axes.set_ylabel("balanced accuracy, %")
        axes.margins(x=0.12, y=0.14)
        axes.autoscale_view()
        _plain_ticks(axes)
        _draw_letters(axes, known)

    return _svg(draw, 3.5, title, name)


def _draw_front(axes: Axes, points: Sequence[_Point]) -> None:
    front = pareto([(point.x, 100 * (point.y.value or 0.0)) for point in points])
    axes.step(
        [x for x, _ in front],
        [y for _, y in front],
        where="post",
        color=_INK,
        linewidth=1,
        linestyle=(0, (4, 3)),
        alpha=0.55,
        zorder=1,
    )


def _draw_point(axes: Axes, point: _Point) -> None:
    value, estimate, colour = 100 * (point.y.value or 0.0), point.y, point.mark.colour
    if estimate.low is not None and estimate.high is not None:
        bounds = (100 * estimate.low, 100 * estimate.high)
        axes.plot((point.x, point.x), bounds, color=colour, linewidth=1.2, alpha=0.75, zorder=2)
    axes.plot((point.x, point.x_high), (value, value), color=colour, linewidth=1.2, zorder=2)
    axes.plot(point.x, value, point.mark.shape, color=colour, markersize=8, zorder=3)


def _draw_letters(axes: Axes, points: Sequence[_Point]) -> None:
    """Each letter on that corner of its point which is farthest from everything else."""
    places = [axes.transData.transform((point.x, 100 * (point.y.value or 0.0))) for point in points]
    taken = [tuple(place) for place in places]  # dots are points here: 72 per inch
    for point, place in zip(points, places, strict=True):
        corners = [(11, 11), (-11, 11), (11, -11), (-11, -11)]
        free = [_nearest((place[0] + dx, place[1] + dy), taken) for dx, dy in corners]
        dx, dy = corners[free.index(max(free))]
        taken.append((place[0] + dx, place[1] + dy))
        axes.annotate(
            point.mark.letter,
            (point.x, 100 * (point.y.value or 0.0)),
            xytext=(dx, dy),
            textcoords="offset points",
            ha="center",
            va="center",
            color=_INK,
            fontweight="bold",
        )


def _nearest(place: tuple[float, float], taken: Sequence[tuple[float, ...]]) -> float:
    return min((place[0] - x) ** 2 + (place[1] - y) ** 2 for x, y in taken)


def _plain_ticks(axes: Axes) -> None:
    """1, 2, 5, 10 instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    steps = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _svg(draw: Callable[[Axes], None], height: float, title: str, name: str) -> str:
    """Draw on fresh axes; `name` keeps the ids of several pictures on one page apart.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "matplotlib", "report", "draw the report's pictures"
        ) from error
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "edgekd", "font.size": 10}
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), _INK)
    style |= {"axes.edgecolor": _FAINT, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(_WIDTH, height), dpi=72, layout="constrained")
        axes = figure.subplots()
        axes.grid(color=_FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        figure.draw_without_rendering()
        draw(axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return _for_the_page(stream.getvalue(), title, name)


def _for_the_page(svg: str, title: str, name: str) -> str:
    """The SVG element alone, without addresses, in the page's ink and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"(font: [^;\"]*?\d+px)[^;\"]*", r"\1 system-ui, sans-serif", svg)
    return svg.replace(_INK, "currentColor").replace(_FAINT, "var(--line)")
