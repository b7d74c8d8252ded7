"""Distribution of times: over runs, over threads, over minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgekd.bench.report.formats import milliseconds, plain_number
from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.report.pictures.svg import Axes, Drawing, Point, Scale, padded
from edgekd.bench.result import LatencySeries, Minute

__all__ = ["histograms", "sustained", "thread_sweep"]

_BINS = 40
_PANEL, _WIDTH, _SIDE = 96.0, 300.0, 10.0


def histograms(entry: MarkedRow) -> str | None:
    """Samples of the model and of the end-to-end call, with p50 and p90; None without samples.

    The scale ends where the tail is a handful of runs; slower runs form a bar of their
    own, with their number and the slowest: no sample is left out.
    """
    latency = entry.latency
    if latency is None:
        return None
    both = (("model", latency.model), ("whole", latency.end_to_end))
    shown = [(name, series) for name, series in both if series is not None and series.samples]
    if not shown:
        return None
    drawing = Drawing(_WIDTH, _PANEL * len(shown))
    for index, (name, series) in enumerate(shown):
        _draw_panel(drawing, name, series, entry.mark.colour, index * _PANEL)
    labels = "; ".join(
        f"{name}: p50 {milliseconds(series.p50)} ms, p90 {milliseconds(series.p90)} ms, "
        f"{series.n} runs from {milliseconds(series.min)} to {milliseconds(series.max)} ms"
        for name, series in shown
    )
    return drawing.svg(f"Times of {entry.label}. {labels}.")


def _draw_panel(
    drawing: Drawing, name: str, series: LatencySeries, colour: str, top: float
) -> None:
    samples = np.asarray(series.samples, dtype=np.float64)
    low, cut = _range(samples, series)
    counts, edges = np.histogram(samples[samples <= cut], _BINS, (low, cut))
    beyond = int((samples > cut).sum())
    x = Scale(low, cut, _SIDE, _WIDTH - _SIDE - (24.0 if beyond else 0.0))
    y = Scale(0.0, float(max(counts.max(), beyond, 1)), top + _PANEL - 26, top + 34)
    axes = Axes(drawing, x, y)
    drawing.text(f"{name}, ms", (_SIDE, top + 12), anchor="start")
    drawing.path([(_SIDE, y.start), (_WIDTH - _SIDE, y.start)], "grid")
    for value in x.ticks(4):
        drawing.text(plain_number(value), (x(value), y.start + 14))
    drawing.area(_outline(axes, counts, edges), fill=colour, opacity=0.8)
    if beyond:
        corner = (x.end + 12, y(float(beyond)))
        drawing.box(corner, (10.0, y.start - corner[1]), fill=colour, opacity=0.8)
        words = f"{beyond:,} slower, up to {milliseconds(series.max)}"
        drawing.text(words, (_WIDTH - _SIDE, top + 12), anchor="end")
    _draw_percentiles(axes, series)


def _range(samples: np.ndarray, series: LatencySeries) -> tuple[float, float]:
    """From the fastest run to the slowest, or to where the tail grows thin."""
    low, high = float(samples.min()), float(samples.max())
    slow = series.p90 or high
    reach = slow + 4 * max(slow - series.p50, 0.02 * series.p50)
    cut = high if high <= reach * 1.2 else reach
    return low, max(cut, low * 1.001 + 1e-6)


def _outline(axes: Axes, counts: np.ndarray, edges: np.ndarray) -> list[Point]:
    points: list[Point] = [(axes.x(float(edges[0])), axes.y.start)]
    for index, count in enumerate(counts):
        height = axes.y(float(count))
        points += [(axes.x(float(edges[index])), height), (axes.x(float(edges[index + 1])), height)]
    return [*points, (axes.x(float(edges[-1])), axes.y.start)]


def _draw_percentiles(axes: Axes, series: LatencySeries) -> None:
    slow = series.p90 or series.p50
    apart = axes.x(slow) - axes.x(series.p50) > 34
    for name, value in (("p50", series.p50), ("p90", slow)):
        x = axes.x(min(value, axes.x.high))
        dashes = "" if name == "p50" else "3 2"
        line = [(x, axes.y.start), (x, axes.y.end - 4)]
        axes.drawing.path(line, "ink", stroke_width=1.3, stroke_dasharray=dashes or "none")
        anchor = "middle" if apart else "end" if name == "p50" else "start"
        shift = 0 if apart else -2 if name == "p50" else 2
        axes.drawing.text(name, (x + shift, axes.y.end - 6), anchor=anchor)


def thread_sweep(entries: Sequence[MarkedRow]) -> str | None:
    """p50 (whisker to p90) over the number of threads; None without a sweep."""
    swept = [entry for entry in entries if entry.row.sweep]
    if not swept:
        return None
    threads = sorted({point.threads for entry in swept for point in entry.row.sweep})
    times = [
        time
        for entry in swept
        for point in entry.row.sweep
        for time in (point.p50, point.p90 or point.p50)
    ]
    x = Scale(0.0, float(max(len(threads) - 1, 1)), 60.0, 340.0)
    axes = _time_axes(x, times)
    for index, count in enumerate(threads):
        axes.drawing.text(str(count), (x(float(index)), axes.y.start + 14))
    axes.drawing.text("threads", ((x.start + x.end) / 2, axes.y.start + 30))
    for entry in swept:
        points = [(x(float(threads.index(p.threads))), axes.y(p.p50)) for p in entry.row.sweep]
        for (place, low), point in zip(points, entry.row.sweep, strict=True):
            high = axes.y(point.p90 or point.p50)
            axes.drawing.path([(place, low), (place, high)], stroke=entry.mark.colour)
        _draw_series(axes, entry, points)
    labels = "; ".join(
        f"{entry.label}: "
        + ", ".join(
            f"{point.threads} threads {milliseconds(point.p50)} ms" for point in entry.row.sweep
        )
        for entry in swept
    )
    return axes.drawing.svg(f"Time over threads. {labels}.")


def sustained(entries: Sequence[MarkedRow]) -> str | None:
    """p50 and p90 (dashed) of each minute; None without a sustained run."""
    ran = [entry for entry in entries if entry.row.sustained]
    if not ran:
        return None
    minutes = [minute for entry in ran for minute in entry.row.sustained]
    last = float(max(minute.minute for minute in minutes))
    first = float(min(minute.minute for minute in minutes))
    x = Scale(first, max(last, first + 1), 60.0, 340.0)
    axes = _time_axes(x, [time for minute in minutes for time in (minute.p50, minute.p90)])
    axes.grid_x("minute")
    for entry in ran:
        slow = _line(axes, entry.row.sustained, lambda minute: minute.p90)
        if len(slow) > 1:
            axes.drawing.path(slow, stroke=entry.mark.colour, fill="none", stroke_dasharray="4 3")
        _draw_series(axes, entry, _line(axes, entry.row.sustained, lambda minute: minute.p50))
    labels = "; ".join(
        f"{entry.label}: {milliseconds(entry.row.sustained[0].p50)} ms in the first minute, "
        f"{milliseconds(entry.row.sustained[-1].p50)} ms in the last"
        for entry in ran
    )
    return axes.drawing.svg(f"Time per minute of a sustained run. {labels}.")


def _line(axes: Axes, run: Sequence[Minute], take: Callable[[Minute], float]) -> list[Point]:
    return [(axes.x(float(minute.minute)), axes.y(take(minute))) for minute in run]


def _time_axes(x: Scale, times: Sequence[float]) -> Axes:
    low, high = padded(times, log=True)
    axes = Axes(Drawing(400, 260), x, Scale(low, high, 218.0, 26.0, log=True))
    axes.grid_y("ms per image (log scale)")
    return axes


def _draw_series(axes: Axes, entry: MarkedRow, points: Sequence[Point]) -> None:
    drawing, mark = axes.drawing, entry.mark
    drawing.open_group(entry.label)
    if len(points) > 1:
        drawing.path(points, stroke=mark.colour, stroke_width=2, fill="none")
    for place in points if len(points) <= 12 else (points[0], points[-1]):
        drawing.mark(mark, place, size=4)
    drawing.text(mark.letter, (points[-1][0] + 9, points[-1][1] + 4), "letter", anchor="start")
    drawing.close_group()
