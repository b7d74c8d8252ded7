"""The page in a real browser: silent, drawn, and as wide as the screen."""

from __future__ import annotations

import re
import socket
import threading

import chromium
import cv2
import numpy as np
import pytest
from axe import serious_violations
from bench_results import board_result, emulated_result, full_result, other_images
from chromium import CONTRASTS, OVERFLOW, PICTURES

from edgekd.bench.report import images_below, write_page

pytestmark = pytest.mark.skipif(
    chromium.PROGRAM is None, reason="there is no Chromium: apt install chromium"
)

# What Chromium itself asks of its maker now and then, whatever page is open. The page's own
# requests, whatever their host, are in `browser.requests()`.
BROWSERS_OWN = re.compile(rb"CONNECT [\w.-]+\.(google|googleapis|gstatic)\.com:443 ")


@pytest.fixture(scope="module")
def proxy():
    """A listening socket that stands for the whole network, and what knocked on it."""
    knocks: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                knock = connection.recv(200)
            if not BROWSERS_OWN.match(knock):
                knocks.append(knock)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield server.getsockname()[1], knocks
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


@pytest.fixture(scope="module")
def browser(proxy):
    flags = (f"--proxy-server=127.0.0.1:{proxy[0]}", "--proxy-bypass-list=<-loopback>")
    found = chromium.Chromium(*flags)
    yield found
    found.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Four results in two parts, with one photo at hand and one not."""
    folder = tmp_path_factory.mktemp("page")
    cv2.imwrite(str(folder / "a.jpg"), np.full((40, 60, 3), 120, np.uint8))
    images = ("images/a.jpg", "images/gone_with_a_very_long_name_that_no_line_can_hold.jpg")
    results = [full_result(images), board_result(), emulated_result(), other_images()]
    write_page(results, folder / "page.html", images=images_below(folder))
    return folder / "page.html"


def test_no_request_leaves_the_page(browser, page, proxy):
    proxy[1].clear()
    browser.open(page, width=1280)
    asked = browser.requests()
    assert asked[0] == page.as_uri()
    assert len(asked) == 2
    assert asked[1].startswith("data:image/jpeg;base64,")
    assert proxy[1] == []


def test_the_page_forbids_what_a_name_might_smuggle_in(browser, page, proxy, tmp_path):
    """The same picture from elsewhere reaches the network without the page's policy alone."""
    picture = '<img src="http://outside.example/spy.png">'
    open_page, closed_page = tmp_path / "open.html", tmp_path / "closed.html"
    open_page.write_text(f"<!doctype html><body>{picture}")
    closed_page.write_text(page.read_text().replace("<main>", f"<main>{picture}"))
    proxy[1].clear()
    browser.open(closed_page, width=1280)
    assert proxy[1] == []
    browser.open(open_page, width=1280)
    assert b"outside.example" in proxy[1][0]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pictures_have_data_inside_their_frames(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    found = browser.evaluate(PICTURES)
    names = [picture["name"] for picture in found]
    assert len(names) > 30
    assert sum(name == "Balanced accuracy over time per image" for name in names) == 2
    assert [picture for picture in found if not picture["data"] or picture["outside"]] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 640, 900, 1280])
def test_nothing_is_wider_than_the_screen(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OVERFLOW) == []


def test_dark_and_light_are_readable(browser, page):
    """Contrast of text with what is behind it: WCAG 2.2 asks for 4.5 to 1."""
    for dark in (False, True):
        browser.open(page, width=1280, dark=dark)
        found = browser.evaluate(CONTRASTS)
        assert len(found) > 5
        assert [each for each in found if each[1] < 4.5] == []
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 25)"


def test_printed_it_is_black_on_white_with_everything_open(browser, page):
    browser.open(page, width=720, dark=True)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.ask("Emulation.setEmulatedMedia", media="print", features=[dark])
    body = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert body == "rgb(255, 255, 255)"
    heights = "[...document.querySelectorAll('details')].map(each => each.offsetHeight)"
    assert min(browser.evaluate(heights)) > 60
    assert browser.evaluate("document.documentElement.scrollWidth") <= 720
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") >= 3


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1280, False)])
def test_axe_finds_no_serious_violation(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert serious_violations(browser) == []
