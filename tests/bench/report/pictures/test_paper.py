"""Pictures as files of their own."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from edgekd.bench.report.marked_rows import Mark
from edgekd.bench.report.pictures.paper import elements, frame, standalone
from edgekd.bench.report.pictures.svg import Drawing


def test_a_frame_is_white_paper_with_a_margin() -> None:
    root = frame("a \x00 title", 100, 50)
    assert (root.get("width"), root.get("height")) == ("120", "50")
    title, paper = root
    assert title.text == "a ? title"  # XML has no such character
    assert (paper.get("width"), paper.get("fill")) == ("120", "#ffffff")


def test_classes_and_variables_become_attributes() -> None:
    drawing = Drawing(100, 100)
    drawing.text("words", (1, 2), "heading")
    drawing.path([(0, 0), (1, 1)], "grid")
    drawing.mark(Mark("A", "#E69F00", "circle"), (5, 5))
    drawing.mark(Mark("A", "#E69F00", "circle"), (5, 5), hollow=True)
    text, line, filled, hollow = elements("".join(drawing.parts))
    assert (text.get("font-size"), text.get("class")) == ("14", None)
    assert line.get("fill") == "none"
    assert (filled.get("fill"), filled.get("stroke")) == ("#B37B00", "#16191d")
    assert (hollow.get("fill"), hollow.get("stroke")) == ("#ffffff", "#B37B00")


def test_a_whole_svg_gives_its_shapes() -> None:
    drawing = Drawing(100, 100)
    drawing.text("words", (1, 2))
    (text,) = elements(drawing.svg("label"), whole=True)
    assert text.text == "words"


def test_an_unknown_class_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        elements('<path class="nowhere"/>')
    assert ElementTree.tostring(frame("t", 1, 1)).startswith(b"<svg")


def test_a_picture_of_the_page_becomes_a_file() -> None:
    drawing = Drawing(100, 50)
    drawing.box((1, 2), (30, 10), "share missed")
    drawing.text("6", (16, 9), "on-solid", turn=-40)
    drawing.image("AAAA", (0, 0), (10, 10))
    root = ElementTree.fromstring(standalone(drawing.svg("One bar & a number.")))
    spaces = "{http://www.w3.org/2000/svg}"
    title, _, bar, number, photo = root
    assert (root.get("width"), title.text) == ("120", "One bar & a number.")
    assert (bar.get("fill"), bar.get("stroke")) == ("#C44E00", "#16191d")
    assert (number.get("transform"), number.get("fill")) == ("rotate(-40 16.0 9.0)", "#ffffff")
    assert photo.tag == f"{spaces}image"
    assert photo.get("href") == "data:image/jpeg;base64,AAAA"
