"""The page of a validation in a real browser: silent, drawn, and as wide as the screen."""

from __future__ import annotations

import chromium
import cv2
import numpy as np
import pytest
from axe import serious_violations
from chromium import CONTRASTS, OVERFLOW, PICTURES
from scripted import mixed

from edgekd.bench.report.gallery import thumbnail
from edgekd.evaluation.cases import Case, ModelCases
from edgekd.evaluation.figures import figures_of
from edgekd.evaluation.page import write_validation_page
from edgekd.evaluation.pictures import map_picture

pytestmark = pytest.mark.skipif(
    chromium.PROGRAM is None, reason="there is no Chromium: apt install chromium"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Three models, with a photo under its map and a long name."""
    folder = tmp_path_factory.mktemp("page")
    validation = mixed(480)
    _, jpeg = cv2.imencode(".jpg", np.full((40, 60, 3), 120, np.uint8))
    changes = np.linspace(-0.2, 0.5, 49).reshape(7, 7)
    picture = map_picture(changes, thumbnail(jpeg.tobytes()), "nv")
    name = "gone_with_a_very_long_name_that_no_line_can_hold.jpg"
    cases = ModelCases([Case(name, "mel", "nv", "nv", 0.93, "answer", picture)] * 3, 9, [])
    write_validation_page(
        folder / "page.html", validation, figures_of(validation), [cases, cases, cases]
    )
    return folder / "page.html"


def test_no_request_leaves_the_page(browser, page):
    browser.open(page, width=1280)
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_the_screen_and_pictures_fit_their_frames(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOW) == []
    drawn = browser.evaluate(PICTURES)
    assert len(drawn) > 20
    assert [picture for picture in drawn if not picture["data"] or picture["outside"]] == []


def test_the_first_screen_of_a_desktop_has_misses_and_the_largest_gap(browser, page):
    browser.open(page, width=1280, height=900)
    bottom = "document.querySelector('.model li:last-child').getBoundingClientRect().bottom"
    assert browser.evaluate(bottom) < 900


def test_text_is_readable(browser, page):
    for dark in (False, True):
        browser.open(page, width=1280, dark=dark)
        contrasts = browser.evaluate(CONTRASTS)
        assert len(contrasts) > 5
        assert [each for each in contrasts if each[1] < 4.5] == []


def test_it_is_printed_with_everything_open(browser, page, tmp_path):
    browser.open(page, width=720)
    browser.ask("Emulation.setEmulatedMedia", media="print", features=[])
    heights = "[...document.querySelectorAll('details')].map(each => each.offsetHeight)"
    assert min(browser.evaluate(heights)) > 60
    assert browser.evaluate("document.documentElement.scrollWidth") <= 720
    assert browser.pdf().startswith(b"%PDF")
    browser.screenshot(tmp_path / "page.png")
    assert cv2.imread(str(tmp_path / "page.png")) is not None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_serious_violation(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert serious_violations(browser) == []
