"""The page: complete, in words, and nothing from the network."""

from __future__ import annotations

import builtins
import re
from html.parser import HTMLParser

import msgspec
import pytest
from bench_results import (
    board_result,
    emulated_result,
    full_result,
    other_images,
    sample_result,
)

from edgekd.bench.measure.flags import Flag
from edgekd.bench.report import write_page
from edgekd.bench.report.formats import DASH
from edgekd.bench.report.page import render_page
from edgekd.bench.result import Missing
from edgekd.errors import InputError, MissingDependencyError


class Page(HTMLParser):
    """Cells of the overview, headings, tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: dict[str, list[str]] = {}
        self.ids: list[str] = []
        self.links: list[str] = []
        self.levels: list[int] = []
        self.unnamed: list[str] = []
        self._head: str | None = None
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        named = dict(attrs)
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "a":
            self.links.append(named["href"])
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag in ("svg", "img") and not (named.get("aria-label") or named.get("alt")):
            self.unnamed.append(tag)
        if tag == "td":
            self._head, self._text = named.get("data-head"), ""

    def handle_data(self, data):
        self._text += data

    def handle_endtag(self, tag):
        if tag == "td" and self._head:
            self.cells.setdefault(self._head, []).append(self._text.strip())


@pytest.fixture(scope="module")
def html() -> str:
    return render_page(full_result())


@pytest.fixture(scope="module")
def several() -> str:
    return render_page([full_result(), board_result(), emulated_result(), other_images()])


def nothing_timed(result):
    rows = [msgspec.structs.replace(row, latency_ms=None, memory=None) for row in result.rows]
    return msgspec.structs.replace(result, rows=rows)


def test_page_needs_no_network(several):
    page = Page(several)
    assert "://" not in several
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in several
    assert "url(" not in several
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'http-equiv="Content-Security-Policy" content="{policy}' in several


def test_page_is_in_order_for_readers_of_any_kind(several):
    page = Page(several)
    assert '<html lang="en">' in several
    assert page.levels[0] == 1
    assert page.levels.count(1) == 1
    pairs = zip(page.levels, page.levels[1:], strict=False)
    assert all(after <= before + 1 for before, after in pairs)
    assert page.unnamed == []
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert "prefers-color-scheme: dark" in several
    assert "@media print" in several
    assert 'name="viewport"' in several


def test_pictures_of_all_that_was_measured(html):
    for title in (
        "Balanced accuracy over time per image",
        "Sensitivity for mel",
        "Times of cpu fp32",
        "Time over threads",
        "Time per minute of a sustained run",
        "Peak memory",
        "Size of the files",
        "Energy per image",
        "What the whole decision does",
    ):
        assert f'role="img" aria-label="{title}' in html, title


def test_null_shows_as_a_dash_with_its_reason(html):
    cells = Page(html).cells
    assert cells["Model p50 / p90, ms"][-1] == f"{DASH}no rpi device is configured"
    assert cells["Whole p50 / p90, ms"][-1] == DASH
    assert cells["Model p50 / p90, ms"][1].startswith("7.89 / 8.41")


def test_the_spread_of_the_blocks_is_told(html):
    medians = full_result().rows[0].latency_ms.model.block_medians
    low, high = min(medians), max(medians)
    spread = f"{100 * (high / low - 1):.1f}\N{NO-BREAK SPACE}% apart"
    assert 'scope="col">Medians of five parts</th>' in html
    assert f"<td>{low:.1f}\N{EN DASH}{high:.1f}<small>{spread}</small></td>" in html


def test_rows_without_speed_are_named_beside_the_picture(html):
    assert re.search(r"Not drawn, since their speed was not measured.*?rpi int8", html, re.DOTALL)
    picture = re.search(r'aria-label="(Balanced accuracy over[^"]*)"', html).group(1)
    assert "cpu int8" in picture
    assert "rpi int8" not in picture


def test_emulated_numbers_are_never_drawn():
    html = render_page(emulated_result())
    assert "there is no picture of accuracy over time" in html
    assert "Times of" not in html
    assert "23.0" not in html
    assert "The device is emulated" in html


def test_page_without_any_speed():
    html = render_page(nothing_timed(sample_result()))
    assert "there is no picture of accuracy over time" in html
    assert "Peak memory" not in html


def test_spans_of_one_result_stand_in_pictures_of_their_own():
    result = sample_result()
    kernels = msgspec.structs.replace(result.rows[3].latency_ms, model_span="kernels alone")
    rows = [*result.rows[:3], msgspec.structs.replace(result.rows[3], latency_ms=kernels)]
    html = render_page(msgspec.structs.replace(result, rows=rows))
    pictures = re.findall(r'aria-label="(Balanced accuracy over[^"]*)"', html)
    assert len(pictures) == 4  # wide and narrow, twice
    assert all(("cpu int8" in picture) != ("cpu fp32" in picture) for picture in pictures)


def test_page_has_everything_the_signer_needs(html):
    result = full_result()
    assert result.command in html
    assert "Intel(R) Xeon(R) Processor" in html
    assert result.data.sha256 in html
    assert "Speed was not measured: no rpi device is configured." in html
    assert "rpi int8: Speed was not measured: the connection was lost." in html
    assert "Sensitivity for mel" in html
    assert "weaker: mel, bkl" in html
    assert "4 of 360" in html


def test_names_from_outside_are_escaped():
    rows = [
        msgspec.structs.replace(row, name="<b>x</b>", runtime={}, flags=[Flag("<i>", "<i>")])
        for row in full_result(("<i>.jpg",)).rows
    ]
    missing = [Missing(row="<i>", code="<i>", detail="<i>")]
    result = msgspec.structs.replace(full_result(), rows=rows, command="<i>", missing=missing)
    html = render_page(result)
    assert "<b>x" not in html
    assert "<i>" not in html.replace('<i style="width', "")


def test_page_of_a_bundle_alone_without_teacher_and_metrics():
    row = sample_result().rows[-1]
    row = msgspec.structs.replace(row, metrics=None, vs_teacher=None, size_bytes=None, sha256=None)
    html = render_page(msgspec.structs.replace(sample_result(), rows=[row]))
    assert "Accuracy not measured." in html
    assert "<svg" not in html


def test_melanoma_is_left_out_where_the_data_has_none():
    rows = []
    for row in sample_result().rows:
        others = {k: v for k, v in row.metrics.per_class.items() if k != "mel"}
        metrics = msgspec.structs.replace(row.metrics, per_class=others)
        rows.append(msgspec.structs.replace(row, metrics=metrics))
    html = render_page(msgspec.structs.replace(sample_result(), rows=rows))
    assert "Melanoma" not in html


def test_no_result_is_no_page(tmp_path):
    with pytest.raises(InputError):
        write_page([], tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_missing_jinja_is_named(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.split(".")[0] == "jinja2":
            raise ModuleNotFoundError(name="jinja2")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError) as caught:
        render_page(sample_result())
    assert "jinja2" in caught.value.message
    assert "edgekd[report]" in caught.value.hint
