"""Photos on the page: each changed image once, lost answers first."""

from __future__ import annotations

import re

import cv2
import msgspec
import numpy as np
import pytest
from bench_results import (
    full_result,
    sample_result,
)

from edgekd.bench.report import GalleryItem, images_below, write_page
from edgekd.bench.report.page import render_page


@pytest.fixture(scope="module")
def html() -> str:
    return render_page(full_result())


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), np.full((40, 60, 3), 120, np.uint8))
    return tmp_path


def test_changed_images_are_shown_once_with_all_who_changed_them(photos):
    result = full_result(("images/a.jpg", "images/gone.jpg"))
    html = render_page(result, images=images_below(photos))
    assert html.count("data:image/jpeg;base64,") == 1
    assert html.count("no picture at hand") == 1
    card = html[html.index("images/a.jpg, labelled mel") : html.index("images/gone.jpg")]
    assert card.count(">55.0<") == 1
    assert card.count(">41.0<") == 3
    assert re.search(r'class="truth"><th scope="row">mel', card)


def test_lost_melanomas_come_first():
    result = full_result(("found.jpg", "missed.jpg"))
    flips = [
        msgspec.structs.replace(flip, label=label)
        for flip, label in zip(result.rows[2].flips, ("nv", "mel"), strict=True)
    ]
    rows = [msgspec.structs.replace(row, flips=flips) if row.flips else row for row in result.rows]
    html = render_page(msgspec.structs.replace(result, rows=rows))
    assert html.index("missed.jpg") < html.index("found.jpg")


def test_many_changed_images_are_folded_away():
    html = render_page(full_result(tuple(f"{n}.jpg" for n in range(15))))
    assert "<summary>3 more</summary>" in html


def test_images_are_sought_in_their_folder_alone(photos):
    (photos / "secret.jpg").write_bytes((photos / "images" / "a.jpg").read_bytes())
    find = images_below(photos / "images")
    assert find("images/a.jpg") == find("a.jpg") == photos / "images" / "a.jpg"
    assert find("../secret.jpg") is None
    assert find(str(photos / "secret.jpg")) is None
    (photos / "images" / "link.jpg").symlink_to(photos / "secret.jpg")
    assert find("link.jpg") is None
    assert find("") is None


def test_an_unreadable_image_leaves_its_numbers(photos):
    (photos / "images" / "a.jpg").write_bytes(b"no image")
    html = render_page(full_result(("images/a.jpg",)), images=images_below(photos))
    assert "no picture at hand" in html


def test_gallery_is_inside_the_file(tmp_path):
    pixels = np.full((40, 60, 3), 120, np.uint8)
    photo = cv2.imencode(".jpg", pixels)[1].tobytes()
    items = [GalleryItem(photo, "mel, 93 %", good=True), GalleryItem(photo, "<nv>")]
    write_page(sample_result(), tmp_path / "page.html", items)
    html = (tmp_path / "page.html").read_text()
    assert html.count("data:image/jpeg;base64,") == 2
    assert "right: mel, 93 %" in html
    assert "&lt;nv&gt;" in html
