"""Table and page: complete, in words, and nothing from the network."""

from __future__ import annotations

import builtins
import io
import re
from html.parser import HTMLParser

import cv2
import msgspec
import numpy as np
import pytest
from results import CLASSES, sample_result
from rich.console import Console

from edgekd.bench.report import GalleryItem, print_table, write_page
from edgekd.bench.report.page import render_page
from edgekd.bench.report.plots import marks_of, pareto
from edgekd.bench.report.words import (
    DASH,
    amount,
    count,
    headline,
    milliseconds,
    percent_interval,
    plain_flags,
    ratio,
    speed,
)
from edgekd.bench.result import Estimate
from edgekd.errors import InputError, MissingDependencyError


class Page(HTMLParser):
    """Cells of the table of rows, texts, tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: dict[str, list[str]] = {}
        self.ids: list[str] = []
        self._head: str | None = None
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        named = dict(attrs)
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "td":
            self._head, self._text = named.get("data-head"), ""

    def handle_data(self, data):
        self._text += data

    def handle_endtag(self, tag):
        if tag == "td" and self._head:
            self.cells.setdefault(self._head, []).append(self._text.strip())


@pytest.fixture(scope="module")
def html() -> str:
    return render_page(sample_result())


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def table(result, width=100) -> str:
    stream = io.StringIO()
    print_table(result, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def nothing_timed(result):
    rows = [msgspec.structs.replace(row, latency_ms=None, memory=None) for row in result.rows]
    return msgspec.structs.replace(result, rows=rows)


def test_page_needs_no_network(html, page):
    outside = re.findall(r"[^\s\"']*https?://[^\s\"'<]*", re.sub(r'xmlns(:\w+)?="[^"]*"', "", html))
    assert outside == []
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in html
    assert "url(//" not in html


def test_pictures_have_data(html):
    pictures = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(pictures) == 3
    colours = [mark.colour.lower() for mark in marks_of(sample_result().rows)]
    latency, size, sensitivity = (picture.lower() for picture in pictures)
    assert [colour in latency for colour in colours] == [True] * 4 + [False]
    assert all(colour in size and colour in sensitivity for colour in colours)
    assert all(f">{name}<" in sensitivity for name in CLASSES)
    assert "currentcolor" in latency
    assert "#010203" not in html
    assert "#040506" not in html


def test_ids_are_unique_over_several_results():
    page = Page(render_page([sample_result(), sample_result("rpi")]))
    assert page.tags.count("svg") == 6
    assert len(page.ids) == len(set(page.ids))


def test_null_latency_shows_as_a_dash(page):
    for head in ("Model p50 / p90, ms", "Whole p50 / p90, ms", "Memory", "Speed against teacher"):
        assert page.cells[head][-1] == DASH
        assert page.cells[head][1] != DASH


def test_rows_without_speed_are_named_beside_the_picture(html):
    assert re.search(r"Not drawn, since their speed was not measured:.*?rpi int8", html)


def test_page_without_any_speed():
    html = render_page(nothing_timed(sample_result()))
    assert "there is no picture of accuracy over time" in html
    assert html.count("<svg") == 2


def test_page_has_everything_the_signer_needs(html):
    result = sample_result()
    assert result.command in html
    assert "Intel(R) Xeon(R) Processor" in html
    assert result.data.sha256 in html
    assert "Speed was not measured: no rpi device is configured." in html
    assert "Melanoma sensitivity" in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert 'name="viewport"' in html


def test_names_from_outside_are_escaped():
    rows = [msgspec.structs.replace(row, name="<b>x</b>") for row in sample_result().rows]
    html = render_page(msgspec.structs.replace(sample_result(), rows=rows, command="<i>"))
    assert "<b>x" not in html
    assert "<i>" not in html


def test_page_of_a_bundle_alone_without_teacher_and_metrics():
    row = sample_result().rows[-1]
    row = msgspec.structs.replace(row, metrics=None, vs_teacher=None, size_bytes=None, sha256=None)
    html = render_page(msgspec.structs.replace(sample_result(), rows=[row]))
    assert "Accuracy not measured." in html
    assert "<svg" not in html


def test_gallery_is_inside_the_file(tmp_path):
    pixels = np.full((40, 60, 3), 120, np.uint8)
    photo = cv2.imencode(".jpg", pixels)[1].tobytes()
    items = [GalleryItem(photo, "mel, 93 %", good=True), GalleryItem(photo, "<nv>")]
    write_page(sample_result(), tmp_path / "page.html", items)
    html = (tmp_path / "page.html").read_text()
    assert html.count("data:image/jpeg;base64,") == 2
    assert "right: mel, 93 %" in html
    assert "&lt;nv&gt;" in html


def test_no_result_is_no_page(tmp_path):
    with pytest.raises(InputError):
        write_page([], tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_missing_packages_are_named(package, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(name=package)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError) as caught:
        render_page(sample_result())
    assert package in caught.value.message
    assert "edgekd[report]" in caught.value.hint


def test_table_goes_to_stdout_by_default(capsys):
    print_table(sample_result())
    assert "cpu int8" in capsys.readouterr().out


def test_table_fits_and_tells_all():
    text = table(sample_result())
    assert max(map(len, text.splitlines())) <= 100
    (away,) = [line for line in text.splitlines() if line.strip().startswith("rpi int8")]
    assert away.split().count(DASH) == 3
    assert "1.20 / 1.28!" in text
    assert "34×" in text
    assert "Mel." in text
    assert text.count("no rpi device is configured") == 1


def test_table_fits_a_narrow_terminal():
    text = table(sample_result(), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "Params" not in text
    assert "Speed" in text


def test_table_without_melanoma():
    rows = []
    for row in sample_result().rows:
        others = {k: v for k, v in row.metrics.per_class.items() if k != "mel"}
        metrics = msgspec.structs.replace(row.metrics, per_class=others)
        rows.append(msgspec.structs.replace(row, metrics=metrics))
    assert "Mel." not in table(msgspec.structs.replace(sample_result(), rows=rows))


def flagged(flags_of_rows):
    pairs = zip(sample_result().rows, flags_of_rows, strict=False)
    return [msgspec.structs.replace(row, flags=list(flags)) for row, flags in pairs]


def test_each_flag_once_with_its_rows():
    flags = plain_flags(flagged([["smoke: x", "odd {thing}: y"]] * 5))
    assert [flag.sentence for flag in flags] == [
        "The times show that the chain works and are no measurement: x.",
        "odd {thing}: y",
    ]
    assert all(len(flag.rows) == 5 and not flag.names_rows for flag in flags)


def test_flags_that_differ_by_row_name_the_rows():
    (flag,) = plain_flags(flagged([["drift: model, 7%"], [], ["drift: model, 9%"]]))
    assert flag.sentence == (
        "The times drifted while they were taken: "
        "model, 7% (teacher resnet50); model, 9% (cpu fp32)."
    )
    assert flag.rows == ("teacher resnet50", "cpu fp32")


def test_speed_against_a_teacher_with_flagged_times_is_marked():
    result = sample_result()
    rows = [msgspec.structs.replace(result.rows[0], valid=False), *result.rows[1:]]
    doubtful = msgspec.structs.replace(result, rows=rows)
    assert (speed(rows[2], result), speed(rows[2], doubtful)) == ("20×", "20×!")
    assert speed(rows[4], doubtful) == DASH
    assert "flagged below" in headline(rows[2], doubtful)[0]


def test_headline():
    result = sample_result()
    lead, accuracy, melanoma, agreement = headline(result.rows[3], result)
    assert lead.startswith("1.20 ms per image, 34× as fast")
    assert "flagged" in lead
    assert "a loss beyond chance" in accuracy
    assert melanoma.startswith("Melanoma sensitivity 73.3")
    assert "360 images" in agreement
    assert headline(result.rows[4], result)[0].endswith("speed not measured.")


def test_numbers():
    assert percent_interval(Estimate(value=0.5)) == "50.0"
    assert percent_interval(Estimate(value=None)) == percent_interval(None) == DASH
    assert [milliseconds(x) for x in (None, 123.4, 12.34, 1.234, 0.1234)] == [
        DASH,
        "123",
        "12.3",
        "1.23",
        "0.123",
    ]
    assert [amount(x) for x in (None, 12, 2_600_000, 650_000_000)] == [
        DASH,
        "12 B",
        "2.6 MB",
        "650 MB",
    ]
    assert [count(x) for x in (None, 9, 2_230_000)] == [DASH, "9", "2.23 M"]
    assert [ratio(x) for x in (None, 34.2, 5.21, 0.5)] == [DASH, "34×", "5.2×", "0.50×"]


def test_pareto_front():
    assert pareto([(1, 1), (2, 3), (3, 2), (2, 2), (4, 4)]) == [(1, 1), (2, 3), (4, 4)]
    assert pareto([]) == []
