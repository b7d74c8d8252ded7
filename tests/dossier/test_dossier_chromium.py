"""The page of a dossier in a real browser: silent, as wide as the screen, clean on paper."""

from __future__ import annotations

import chromium
import cv2
import pytest
from axe import serious_violations
from chromium import CONTRASTS, OVERFLOW, PICTURES
from dossier_facts import external, facts_of

from edgekd.dossier.document import PAGE, write_dossier

pytestmark = pytest.mark.skipif(
    chromium.PROGRAM is None, reason="there is no Chromium: apt install chromium"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Some items are answered, one of them at length, others are open."""
    folder = tmp_path_factory.mktemp("dossier")
    answers = {"use.purpose": ("To refer.",), "use.users": ("a_very_long_word" * 20, "nurses")}
    write_dossier(folder, facts_of(answers, external()))
    return folder / PAGE


def test_no_request_leaves_the_page(browser, page):
    browser.open(page, width=1280)
    assert [url for url in browser.requests() if not url.startswith("data:")] == [page.as_uri()]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_the_screen(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOW) == []
    drawn = browser.evaluate(PICTURES)
    assert len(drawn) >= 4
    assert [picture for picture in drawn if not picture["data"] or picture["outside"]] == []
    assert [each for each in browser.evaluate(CONTRASTS) if each[1] < 4.5] == []
    assert serious_violations(browser) == []


def test_links_lead_to_chapters(browser, page):
    browser.open(page, width=1280)
    links = "[...document.querySelectorAll('nav a, ol.open a')]"
    found = browser.evaluate(f"{links}.map(each => each.getAttribute('href'))")
    assert len(found) > 30
    missing = [h for h in found if not browser.evaluate(f"!!document.querySelector('{h}')")]
    assert missing == []


def test_on_paper_nothing_is_cut(browser, page, tmp_path):
    browser.open(page, width=720, dark=True)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.ask("Emulation.setEmulatedMedia", media="print", features=[dark])
    colour = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(255, 255, 255)"
    assert browser.evaluate("document.documentElement.scrollWidth") <= 720
    boxes = "[...document.querySelectorAll('.scroll')]"
    wide = browser.evaluate(f"{boxes}.map(each => each.scrollWidth - each.clientWidth)")
    assert max(wide) <= 1
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") >= 4
    browser.screenshot(tmp_path / "page.png")
    assert cv2.imread(str(tmp_path / "page.png")) is not None
