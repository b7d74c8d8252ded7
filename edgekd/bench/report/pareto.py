"""The picture of accuracy over time as a file of its own: for print, slides, and papers."""

from __future__ import annotations

import re
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
from edgekd.bench.report.pictures.svg import Drawing
from edgekd.bench.result import Result
from edgekd.bench.task import MetricColumn
from edgekd.errors import InputError
from edgekd.files import write_atomically

__all__ = ["check_picture", "pareto_pictures", "write_pareto"]

_WIDTH, _HEIGHT = 640.0, 400.0
"""Units of the picture; on paper of that width, letters of 11 units have 8 points."""
_MARGIN, _LINE, _GAP = 10.0, 16.0, 14.0
_LETTERS_A_LINE = 108

_INK, _SOFT, _RULE, _PAPER = "#16191d", "#57606a", "#d9dee4", "#ffffff"
_FONT = {"font-family": "Helvetica, Arial, 'Liberation Sans', sans-serif", "font-size": "11"}
_LOOKS = {
    "tick": _FONT | {"fill": _SOFT},
    "letter": _FONT | {"fill": _INK, "font-weight": "bold"},
    "ink-text": _FONT | {"fill": _INK},
    "heading": _FONT | {"fill": _INK, "font-size": "14", "font-weight": "bold"},
    "grid": {"stroke": _RULE, "stroke-width": "1"},
    "ink": {"stroke": _INK},
    "front": {},
}
"""Attributes instead of classes: not every program that places an SVG reads its style sheet."""
_ON_PAPER = {"#E69F00": "#B37B00", "#56B4E9": "#2A8CC7", "#CC79A7": "#BF5F95"}
"""The palette's light colours, darkened to the contrast of 3:1 on white of WCAG 2.2."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

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
    root = _frame(title, below.height)
    root.extend(_elements("".join(top.parts)))
    moved = ElementTree.SubElement(root, "g", {"transform": f"translate(0 {y:g})"})
    moved.extend(_elements(inner, whole=True))
    root.extend(_elements("".join(below.parts)))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _frame(title: str, height: float) -> ElementTree.Element:
    """An SVG of the picture's natural size, on white with a margin."""
    size = {"width": f"{_WIDTH + 2 * _MARGIN:g}", "height": f"{height:g}"}
    box = f"{-_MARGIN:g} 0 {size['width']} {size['height']}"
    kind = {"xmlns": "http://www.w3.org/2000/svg", "role": "img"}
    root = ElementTree.Element("svg", kind | size | {"viewBox": box})
    ElementTree.SubElement(root, "title").text = _NOT_XML.sub("?", title)
    ElementTree.SubElement(root, "rect", {"x": f"{-_MARGIN:g}"} | size | {"fill": _PAPER})
    return root


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


def _elements(markup: str, *, whole: bool = False) -> list[ElementTree.Element]:
    """The shapes of a drawing, or of a whole SVG element, with their styles as attributes."""
    text = _NOT_XML.sub("?", markup)
    root = ElementTree.fromstring(text if whole else f"<svg>{text}</svg>")
    for element in root.iter():
        _dress(element)
    return list(root)


def _dress(element: ElementTree.Element) -> None:
    """Replace classes and variables by attributes for white paper, in place."""
    for name in element.attrib.pop("class", "").split():
        for key, value in _LOOKS[name].items():
            element.attrib.setdefault(key, value)
    shape = element.tag in ("circle", "path") and "var(--paper)" in element.get("stroke", "")
    if shape:  # a filled mark: outlined in ink instead of in the colour of the page
        element.set("stroke", _INK)
    for key in ("fill", "stroke"):
        value = element.get(key, "").replace("var(--paper)", _PAPER)
        if value:
            element.set(key, _ON_PAPER.get(value, value))
    if element.tag == "path":
        element.attrib.setdefault("fill", "none")
