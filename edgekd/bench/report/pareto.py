"""The picture of accuracy over time as a file of its own: for print, slides, and papers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from edgekd.bench.report import formats, pictures
from edgekd.bench.report.marked_rows import (
    MarkedRow,
    ReportPart,
    Timed,
    marked_rows_of,
    parts_of,
    timed_parts,
)
from edgekd.bench.report.pictures.paper import elements, frame
from edgekd.bench.report.pictures.svg import Drawing
from edgekd.bench.result import Result
from edgekd.bench.task import MetricColumn
from edgekd.errors import InputError
from edgekd.files import write_atomically

__all__ = ["check_picture", "pareto_pictures", "write_pareto"]

_WIDTH, _HEIGHT = 640.0, 400.0
"""Units of the picture; on paper of that width, letters of 11 units have 8 points."""
_LINE, _GAP = 16.0, 14.0
_LETTERS_A_LINE = 108

_HOW = (
    "Up and to the left is better. Whiskers: 95 % intervals. Dashed: the rows that no other of the "
    "same device beats, by valid times alone; dotted: the teacher's accuracy. Hollow marks: the "
    "times are flagged."
)


def check_picture(out: Path) -> None:
    """Refuse a file name of another format.

    Raises:
        InputError: It does not end in .svg.
    """
    if out.suffix.casefold() != ".svg":
        message = f"{out.name}: the picture is written as SVG alone"
        raise InputError(message, "name it OUT.svg; a browser makes any other kind of it")


def write_pareto(results: Sequence[Result], out: Path) -> list[Path]:
    """Write one SVG file for each picture of accuracy over time that the page has.

    Args:
        results: Results of one or several devices.
        out: The first file. Results that cannot share a picture follow in `OUT-2.svg` and so on.

    Returns:
        The files.

    Raises:
        InputError: No row has accuracy and time, the name does not end in .svg, or the place cannot
            be written to.
    """
    check_picture(out)
    drawn = pareto_pictures(results)
    if not drawn:
        message = "no row has both an accuracy and a time of its device: there is no picture"
        raise InputError(message, "measure with `edgekd bench` first")
    files = [out, *(out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(2, len(drawn) + 1))]
    for file, svg in zip(files, drawn, strict=True):
        try:
            write_atomically(file, svg)
        except OSError as error:
            message = f"cannot write the picture to {file}: {error.strerror}"
            raise InputError(message, "choose another place for --pareto") from error
    return files


def pareto_pictures(results: Sequence[Result]) -> list[str]:
    """The pictures as stand-alone SVG, in the order of the page."""
    return [
        svg
        for section in parts_of(marked_rows_of(results))
        for timed in timed_parts(section.entries)
        if (svg := _picture(section, timed)) is not None
    ]


def _picture(section: ReportPart, timed: Timed) -> str | None:
    axis = section.columns.axis
    if axis is None:
        return None
    inner = pictures.accuracy_latency(timed.drawn, axis, width=_WIDTH, height=_HEIGHT)
    if inner is None:
        return None
    data = section.results[0].data
    title = f"{axis.title} over time per image, {', '.join(section.places)}"
    heads = [f"{data.n:,} images of {data.name}/{data.split}; timed: {timed.span}"]
    top = Drawing(_WIDTH, 0)
    y = _write(top, [title], 20.0, "heading", 80)
    y = _write(top, heads, y, "tick")
    below = Drawing(_WIDTH, 0)
    _write_legend(below, section, timed, axis, y + _HEIGHT + _GAP)
    root = frame(title, _WIDTH, below.height)
    root.extend(elements("".join(top.parts)))
    moved = ElementTree.SubElement(root, "g", {"transform": f"translate(0 {y:g})"})
    moved.extend(elements(inner, whole=True))
    root.extend(elements("".join(below.parts)))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _write(
    drawing: Drawing,
    sentences: Sequence[str],
    y: float,
    kind: str,
    letters: int = _LETTERS_A_LINE,
    left: float = 0.0,
) -> float:
    """Write each sentence from a new line on; returns the baseline after them."""
    for sentence in sentences:
        for line in textwrap.wrap(sentence, letters):
            drawing.text(line, (left, y), kind, anchor="start")
            y += _LINE
    return y


def _write_legend(
    drawing: Drawing, section: ReportPart, timed: Timed, axis: MetricColumn, y: float
) -> None:
    """Write every mark's numbers, how to read them, and what is not drawn; set the height."""
    for entry in _legend(timed.entries, axis):
        drawing.mark(entry.mark, (6.0, y - 4), hollow=not entry.row.valid)
        drawing.text(entry.mark.letter, (18.0, y), "letter", anchor="start")
        y = _write(drawing, [_numbers(entry, axis)], y, "ink-text", _LETTERS_A_LINE - 8, 44.0)
    absent = [entry.label for entry in section.entries if entry.latency is None]
    sentences = [_HOW]
    if absent:
        sentences.append(
            f"Not drawn, since their speed was not measured there: {', '.join(absent)}."
        )
    drawing.height = _write(drawing, sentences, y + 4, "tick")


def _legend(entries: Sequence[MarkedRow], axis: MetricColumn) -> Iterator[MarkedRow]:
    """The rows that have a mark: with an accuracy as well as a time."""
    for entry in entries:
        estimate = axis.estimate(entry.row.metrics)
        if estimate is not None and estimate.value is not None:
            yield entry


def _numbers(entry: MarkedRow, axis: MetricColumn) -> str:
    row = entry.row
    model = entry.latency.model if entry.latency is not None else None
    accuracy = formats.estimate_text(axis.estimate(row.metrics), percentage=axis.percent)
    flagged = "" if row.valid else "; times flagged"
    times = f"{formats.p50_p90(model)} ms (p50 / p90)"
    accuracy = f"{accuracy} {axis.unit}".strip()
    return f"{entry.label}: {times}, {accuracy}, {formats.amount(row.size_bytes)}{flagged}"
