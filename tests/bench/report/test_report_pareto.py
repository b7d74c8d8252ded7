"""Accuracy over time as a file of its own: whole, stand-alone, and readable on paper."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import chromium
import msgspec
import pytest
from bench_results import board_result, emulated_result, full_result, other_images, sample_result
from typer.testing import CliRunner

from edgekd.bench.report import write_pareto
from edgekd.bench.report.marked_rows import marked_rows_of
from edgekd.bench.report.pareto import pareto_pictures
from edgekd.bench.result.file import write_result
from edgekd.cli import app
from edgekd.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def drawn(*results):
    return [ElementTree.fromstring(text.encode()) for text in pareto_pictures(results)]


def texts(root) -> str:
    """All words in order; a legend's long line goes on in the next element."""
    return " ".join(each.text for each in root.iter(f"{SVG}text"))


def timed(result, span):
    rows = [
        msgspec.structs.replace(
            row, latency_ms=msgspec.structs.replace(row.latency_ms, model_span=span)
        )
        if row.latency_ms and row.role == "artefact"
        else row
        for row in result.rows
    ]
    return msgspec.structs.replace(result, rows=rows)


def test_every_row_with_both_numbers_is_in_it():
    results = (full_result(), board_result(), emulated_result())
    (root,) = drawn(*results)
    named = [each.text for each in root.iter(f"{SVG}title")]
    with_both = [each for each in marked_rows_of(results) if each.latency and each.row.metrics]
    assert len(with_both) == 5
    for entry in with_both:
        name = f"{entry.mark.letter} {entry.label}: "
        assert any(each.startswith(name) for each in named)
        assert f"{entry.label}: " in texts(root)
    absent = texts(root).partition("Not drawn")[2]
    others = [each.label for each in marked_rows_of(results) if each not in with_both]
    assert all(label in absent for label in others)
    assert not any(each.label in absent for each in with_both)


def test_it_needs_no_page_around_it():
    (text,) = pareto_pictures([sample_result()])
    root = ElementTree.fromstring(text.encode())
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox").split()[2:] == [root.get("width"), root.get("height")]
    assert "var(" not in text
    assert " class=" not in text
    assert text.count("://") == 1  # the name of SVG itself
    for each in root.iter(f"{SVG}text"):
        assert each.get("font-family").endswith("sans-serif")
        assert float(each.get("font-size")) >= 11
        assert each.get("fill")
    assert all(each.get("fill") for each in root.iter(f"{SVG}path"))


def light(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    parts = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_colours_are_readable_on_white():
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for graphics; lines of the grid are neither."""
    row = sample_result().rows[2]
    rows = [msgspec.structs.replace(row, name=str(n), sha256=str(n)) for n in range(5)]
    result = sample_result()
    result = msgspec.structs.replace(result, rows=[*result.rows, *rows])
    (root,) = drawn(result)
    assert root[1].get("fill") == "#ffffff"
    grid = {"#d9dee4", "#ffffff"}
    for each in root.iter():
        found = {each.get("fill", ""), each.get("stroke", "")} - grid
        least = 4.5 if each.tag == f"{SVG}text" else 3.0
        for colour in filter(COLOUR.fullmatch, found):
            assert 1.05 / (light(colour) + 0.05) >= least, colour


def test_names_may_hold_anything():
    result = sample_result()
    row = msgspec.structs.replace(result.rows[2], name='<b>"&\x01\ud800 ' + "long " * 60)
    (root,) = drawn(msgspec.structs.replace(result, rows=[row]))
    assert '<b>"&?? long long' in texts(root)
    assert max(len(each.text) for each in root.iter(f"{SVG}text")) < 120


def test_what_may_not_stand_in_one_picture_has_files_of_its_own(tmp_path):
    out = tmp_path / "new" / "pareto.svg"
    results = [timed(full_result(), "GPU kernels alone"), other_images()]
    files = write_pareto(results, out)
    assert [each.name for each in files] == ["pareto.svg", "pareto-2.svg", "pareto-3.svg"]
    first, second, third = (texts(ElementTree.parse(file).getroot()) for file in files)
    assert "teacher resnet50" in first
    assert "GPU kernels alone" in second
    assert "cpu fp32" in second
    assert "cpu fp32" not in first.partition("Up and to")[0]
    assert "of clinic/test" in third


def test_nothing_to_draw_and_no_place(tmp_path):
    with pytest.raises(InputError, match="no picture"):
        write_pareto([emulated_result()], tmp_path / "out.svg")
    with pytest.raises(InputError, match="SVG alone"):
        write_pareto([sample_result()], tmp_path / "out.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot "):
        write_pareto([sample_result()], tmp_path / "file" / "out.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_command(tmp_path):
    write_result(tmp_path / "r.json", sample_result())
    out = tmp_path / "p.svg"
    found = CliRunner().invoke(app, ["report", str(tmp_path / "r.json"), "--pareto", str(out)])
    assert found.exit_code == 0, found.output
    assert ElementTree.parse(out).getroot().tag == f"{SVG}svg"
    wrong = str(tmp_path / "p.png")
    found = CliRunner().invoke(app, ["report", str(tmp_path / "r.json"), "--pareto", wrong])
    assert isinstance(found.exception, InputError)


# Of every stroke and word: whether it lies inside of the picture; and how many have a size.
SHOWN = """
(() => {
  const frame = document.documentElement.getBoundingClientRect();
  const all = [...document.querySelectorAll('path, rect, circle, text')];
  const inside = each => {
    const box = each.getBoundingClientRect();
    return box.left >= frame.left && box.right <= frame.right + 0.5
      && box.top >= frame.top && box.bottom <= frame.bottom + 0.5;
  };
  return {
    kind: document.contentType, width: frame.width, shapes: all.length,
    outside: all.filter(each => !inside(each)).map(each => each.outerHTML),
    letters: [...document.querySelectorAll('text')].filter(each => each.getBBox().width < 1).length,
    broken: document.querySelectorAll('parsererror').length,
  };
})()
"""


@pytest.mark.skipif(chromium.PROGRAM is None, reason="there is no Chromium: apt install chromium")
def test_a_browser_shows_it(tmp_path):
    write_pareto([full_result(), board_result()], tmp_path / "p.svg")
    browser = chromium.Chromium()
    try:
        browser.open(tmp_path / "p.svg", width=900, dark=True)
        shown = browser.evaluate(SHOWN)
        asked = browser.requests()
    finally:
        browser.close()
    assert shown["kind"] == "image/svg+xml"
    assert shown["shapes"] > 40
    assert (shown["outside"], shown["letters"], shown["broken"]) == ([], 0, 0)
    assert asked == [(tmp_path / "p.svg").as_uri()]
