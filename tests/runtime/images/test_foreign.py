"""Formats that are not read are refused by name."""

from __future__ import annotations

import pytest
from jpegs import make_image
from pictures import by_pillow, refusal

IMAGE = make_image(40, 30)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("GIF", "is a GIF"), ("JPEG2000", "is a JPEG 2000 file"), ("AVIF", "is an AVIF image"),
     ("PDF", "is a PDF document")],
)  # fmt: skip
def test_files_that_pillow_writes(kind: str, words: str) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pillow.init()
    if kind not in pillow.SAVE:
        pytest.skip(f"this Pillow does not write {kind}")
    assert words in refusal(by_pillow(IMAGE, kind)).message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "is a HEIC photo"),
        (b"\0\0\0\x18ftypmif1" + bytes(20), "is a HEIC photo"),
        (b"\0\0\0\x18ftypcrx " + bytes(20), "is a camera's raw photo"),
        (b"\0\0\0\x18ftypisom" + bytes(20), "is a video"),
        (b"\xff\x4f\xff\x51" + bytes(20), "is a JPEG 2000 file"),
        (b"\xff\x0a" + bytes(20), "is a JPEG XL file"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "is a JPEG XL file"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', "is an SVG drawing"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b"FUJIFILMCCD-RAW 0201", "is a camera's raw photo"),
        (b"PK\x03\x04" + bytes(20), "is a zip archive"),
        (b"8BPS" + bytes(20), "is a Photoshop document"),
        (b"RIFF", "is not an image of a known format"),
        (b"hello", "is not an image of a known format"),
    ],
)
def test_signatures(data: bytes, words: str) -> None:
    error = refusal(data)
    assert error.message.startswith(f"the image {words}")


def test_iphone_owner_is_told_which_setting_to_change() -> None:
    assert "set the camera to JPEG" in refusal(b"\0\0\0\x18ftypheic" + bytes(20)).hint
