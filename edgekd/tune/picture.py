"""The picture of a search: quality over cost of all trials, with the front."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from edgekd.bench.report.marked_rows import Mark
from edgekd.bench.report.pictures.paper import elements, frame
from edgekd.bench.report.pictures.svg import Axes, Drawing, Scale, padded
from edgekd.tune.outcome import TrialResult, TuneResult

__all__ = ["picture"]

_WIDTH, _HEIGHT, _TOP_TEXT, _BELOW = 640.0, 400.0, 26.0, 52.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 16.0, 26.0, 46.0
_FRONT, _OTHER = Mark("", "#0072B2", "circle"), Mark("", "#9aa4ae", "circle")
_DEFAULT, _REFUSED = Mark("", "#D55E00", "square"), Mark("", "#CC79A7", "triangle")
_UNITS = {
    "macs": ("million multiply-accumulates of an image", 1e-6),
    "params": ("million parameters", 1e-6),
    "latency": ("milliseconds of an image, p50", 1.0),
    "none": ("number of the trial", 1.0),
}


def picture(result: TuneResult) -> str | None:
    """Quality over cost as a stand-alone SVG; over the trial's number with one objective.

    Returns:
        The SVG; None where no trial has both numbers.
    """
    drawn = [trial for trial in result.trials if trial.quality is not None]
    drawn = [trial for trial in drawn if _x(result, trial) is not None]
    if not drawn:
        return None
    title = f"edgekd tune {result.name}: {_quality(result)} over {_UNITS[result.cost][0]}"
    root = frame(title, _WIDTH, _TOP_TEXT + _HEIGHT + _BELOW)
    top = Drawing(_WIDTH, 0)
    top.text(f"edgekd tune {result.name}, {len(result.trials)} trials", (0, 18), "heading", "start")
    root.extend(elements("".join(top.parts)))
    moved = ElementTree.SubElement(root, "g", {"transform": f"translate(0 {_TOP_TEXT:g})"})
    moved.extend(elements("".join(_chart(result, drawn).parts)))
    root.extend(elements("".join(_legend(result).parts)))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _chart(result: TuneResult, drawn: Sequence[TrialResult]) -> Drawing:
    places = {trial.number: (_place(result, trial)) for trial in drawn}
    axes = _axes(list(places.values()), log=result.cost != "none")
    suffix = " (log scale)" if axes.x.log else ""
    axes.grid_x(f"{_UNITS[result.cost][0]}{suffix}")
    axes.grid_y(_quality(result))
    if result.cost != "none":
        _draw_front(axes, [places[number] for number in result.front])
    ordered = sorted(drawn, key=lambda trial: (trial.number in result.front, trial.default))
    for trial in ordered:
        x, y = places[trial.number]
        axes.drawing.open_group(_words(result, trial))
        mark = _mark(result, trial)
        axes.drawing.mark(mark, (axes.x(x), axes.y(y)), size=5.0, hollow=trial.times_flagged)
        if trial.number in result.front or trial.default:
            axes.drawing.text(str(trial.number), (axes.x(x), axes.y(y) - 9), "letter")
        axes.drawing.close_group()
    return axes.drawing


def _axes(places: Sequence[tuple[float, float]], *, log: bool) -> Axes:
    x_low, x_high = padded((x for x, _ in places), log=log)
    y_low, y_high = padded(y for _, y in places)
    return Axes(
        Drawing(_WIDTH, _HEIGHT),
        Scale(x_low, x_high, _LEFT, _WIDTH - _RIGHT, log=log),
        Scale(max(y_low, 0.0), y_high, _HEIGHT - _BOTTOM, _TOP),
    )


def _draw_front(axes: Axes, front: Sequence[tuple[float, float]]) -> None:
    """Steps along the front: what is reached at each cost."""
    steps: list[tuple[float, float]] = []
    for x, y in front:
        if steps:
            steps.append((axes.x(x), steps[-1][1]))
        steps.append((axes.x(x), axes.y(y)))
    if steps:
        steps.append((axes.x.end, steps[-1][1]))
        axes.drawing.path(steps, "ink front", stroke_dasharray="5 4", stroke_width=1.2)


def _legend(result: TuneResult) -> Drawing:
    drawing, y = Drawing(_WIDTH, 0), _TOP_TEXT + _HEIGHT + 16
    words = [(_FRONT, "on the front"), (_OTHER, "beaten")]
    if any(trial.default for trial in result.trials):
        words.append((_DEFAULT, "the recipe itself"))
    if any(trial.state == "refused" for trial in result.trials):
        words.append((_REFUSED, "refused by its gate (score of the float student)"))
    x = 6.0
    for mark, text in words:
        drawing.mark(mark, (x, y - 4))
        drawing.text(text, (x + 10, y), "ink-text", "start")
        x += 24 + 6.2 * len(text)
    drawing.text(
        f"Up and to the left is better. Numbers are those of the trials; scores are of the "
        f"{'images that were made' if result.images == 'none' else 'validation part'}.",
        (0, y + 18), "tick", "start",
    )  # fmt: skip
    return drawing


def _mark(result: TuneResult, trial: TrialResult) -> Mark:
    if trial.default:
        return _DEFAULT
    if trial.state == "refused":
        return _REFUSED
    return _FRONT if trial.number in result.front else _OTHER


def _place(result: TuneResult, trial: TrialResult) -> tuple[float, float]:
    x = _x(result, trial)
    assert x is not None
    assert trial.quality is not None
    return x * _UNITS[result.cost][1], trial.quality


def _x(result: TuneResult, trial: TrialResult) -> float | None:
    return float(trial.number) if result.cost == "none" else trial.cost


def _quality(result: TuneResult) -> str:
    of = f" of the int8 file for {result.lowered}" if result.lowered else ""
    images = "synthesised" if result.images == "none" else "validation"
    return f"{images} {result.metric.replace('_', ' ')}{of}"


def _words(result: TuneResult, trial: TrialResult) -> str:
    values = ", ".join(f"{key}: {value}" for key, value in trial.values.items())
    x, y = _place(result, trial)
    return f"trial {trial.number}: {y:.3f}, {x:.3g} {_UNITS[result.cost][0]}; {values}"
