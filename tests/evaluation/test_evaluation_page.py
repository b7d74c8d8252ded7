"""The page of a validation: what comes first, complete, and nothing from the network."""

from __future__ import annotations

import builtins
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from scripted import answered, data_of, mixed, validation_of

from edgekd.errors import InputError, MissingDependencyError
from edgekd.evaluation.cases import Case, ModelCases
from edgekd.evaluation.figures import figures_of
from edgekd.evaluation.leaks import Leaks
from edgekd.evaluation.page import points_text, render_validation, write_validation_page
from edgekd.metrics import Estimate


class Page(HTMLParser):
    """Tags, identifiers, links, levels of headings, and the text in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.levels: list[int] = []
        self.unnamed: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append(tag)
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if tag == "a" else []
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag in ("svg", "img") and not (named.get("aria-label") or named.get("alt")):
            self.unnamed.append(tag)
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "svg", "head"} & set(self._open):
            self.text += data


CASE = Case("a.jpg", "mel", "nv", "nv", 0.93, "answer", "<svg aria-label='map'></svg>")


@pytest.fixture(scope="module")
def html() -> str:
    validation = mixed()
    cases = [ModelCases([CASE], 7, [CASE])] * 3
    return render_validation(validation, figures_of(validation), cases)


def test_the_first_screen_says_what_is_missed_then_the_largest_gap(html: str) -> None:
    page = Page(html)
    begin = " ".join(page.text.split())[:2500]
    places = [
        begin.index(text)
        for text in (
            "What is missed and what is referred",
            "Of 80 images of mel, ",
            " were referred, ",
            "The largest certain difference among",
            "where sex is female",
        )
    ]
    assert places == sorted(places)
    assert "peed" not in begin  # nothing about timing
    assert begin.index("Decisions by class") > places[-1]


def test_timing_stands_at_the_end(html: str) -> None:
    text = Page(html).text
    assert text.rindex("How it was measured") < text.index("Speed was not measured")


def test_it_is_one_file_that_asks_nobody(html: str) -> None:
    page = Page(html)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.findall(r'(?:src|href)="(?!#|data:)', html)
    assert "default-src 'none'" in html
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org/\d+/svg", "", html)


def test_it_can_be_read_by_machine(html: str) -> None:
    page = Page(html)
    assert page.unnamed == []
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert page.levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(page.levels))
    assert page.tags.count("h1") == 1


def test_every_part_is_there(html: str) -> None:
    text = " ".join(Page(html).text.split())
    for words in (
        "Confusion matrix", "Predictive values at the given prevalence", "Reliability",
        "Coverage and error", "critical and missed, 1 of 7", "All shares of subgroups",
        "jetson fp16 minus", "None of the images was used to make rpi int8",
        "numbers in steps of 20", "Answered as something else", "site: not known",
    ):  # fmt: skip
        assert words in text, words
    assert html.count("<svg") > 15


def test_leaks_and_absent_classes_are_above_everything() -> None:
    data = data_of(["mel", "nv"] * 10)
    model = answered(data, ["mel", "nv"] * 10, ["answer"] * 20)
    validation = validation_of(data, model, leaks=[Leaks(Path("m"), {0: "train", 3: "train"})])
    text = Page(render_validation(validation, figures_of(validation), [])).text
    text = " ".join(text.split())
    assert text.index("2 of the 20 images are not new to rpi int8") < text.index("Of 10 images of")
    assert "No image shows bkl: nothing was measured of it." in text
    assert "Subgroups" not in text


def test_names_are_text_and_no_markup() -> None:
    name = "<b>&'\""
    data = data_of([name, "nv"] * 8, classes=(name, "nv"), sex=[name, "m"] * 8)
    model = answered(data, [name, "nv"] * 8, ["answer"] * 16, name=name)
    validation = validation_of(data, model, prevalence={name: 0.1})
    html = render_validation(validation, figures_of(validation), [])
    assert "<b>&" not in html.replace("&lt;b&gt;&amp;", "")


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    validation = mixed(60)
    figures = figures_of(validation)
    write_validation_page(tmp_path / "out.html", validation, figures, [])
    assert (tmp_path / "out.html").read_text().rstrip().endswith("</html>")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        write_validation_page(tmp_path / "file" / "out.html", validation, figures, [])


def test_without_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    validation, real = mixed(60), builtins.__import__

    def refuse(name: str, *arguments: object, **options: object) -> object:
        if name == "jinja2":
            raise ModuleNotFoundError(name=name)
        return real(name, *arguments, **options)  # type: ignore[arg-type]

    figures = figures_of(validation)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match="jinja2"):
        render_validation(validation, figures, [])


def test_points() -> None:
    assert points_text(Estimate(value=0.012, low=-0.004, high=0.028)) == "+1.2 (−0.4 to +2.8)"
    assert points_text(Estimate(value=-0.5)) == "−50.0"
    assert points_text(None) == points_text(Estimate(value=None)) == "—"
