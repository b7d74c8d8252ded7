from __future__ import annotations

import struct

import pytest
from jpegs import encode, make_image, with_exif

from edgekd.runtime.image_header import ImageHeader, read_header

IMAGE = make_image(50, 30)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_size_and_wholeness(suffix: str) -> None:
    data = encode(IMAGE, suffix)
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    assert read_header(data) == ImageHeader(kind, 50, 30, complete=True)
    assert read_header(data[:-30]) == ImageHeader(kind, 50, 30, complete=False)


def test_size_is_as_stored_not_as_turned() -> None:
    header = read_header(with_exif(encode(IMAGE), 6))
    assert header == ImageHeader("jpeg", 50, 30, complete=True)


def test_thumbnail_is_not_taken_for_the_image() -> None:
    header = read_header(with_exif(encode(IMAGE), 1, encode(make_image(16, 8))))
    assert header == ImageHeader("jpeg", 50, 30, complete=True)


@pytest.mark.parametrize(("suffix", "kind"), [(".bmp", "bmp"), (".webp", "webp")])
def test_formats_that_declare_their_length(suffix: str, kind: str) -> None:
    data = encode(IMAGE, suffix)
    assert read_header(data) == ImageHeader(kind, 0, 0, complete=True)
    assert read_header(data[:-3]) == ImageHeader(kind, 0, 0, complete=False)


@pytest.mark.parametrize("start", [b"II*\x00", b"MM\x00*"])
def test_tiff_is_known_by_either_byte_order(start: bytes) -> None:
    assert read_header(start) == ImageHeader("tiff", 0, 0, complete=True)


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    data = encode(IMAGE)
    assert read_header(data[:2] + b"\xff\xff\xff" + data[2:]) == read_header(data)


def test_end_of_image_inside_a_comment_is_not_the_end() -> None:
    data = encode(IMAGE)
    body = b"looks like an end: \xff\xd9"
    comment = b"\xff\xfe" + struct.pack(">H", len(body) + 2) + body
    header = read_header(data[:2] + comment + data[2:-2])
    assert header == ImageHeader("jpeg", 50, 30, complete=False)


def test_end_chunk_named_inside_png_text_is_not_the_end() -> None:
    data = encode(IMAGE, ".png")
    text = struct.pack(">I", 12) + b"tEXtComment\0IEND" + bytes(4)
    header = read_header(data[:33] + text + data[33 : len(data) // 2] + b"IEND")
    assert header == ImageHeader("png", 50, 30, complete=False)


def test_jpeg_that_never_ends_its_segments() -> None:
    assert read_header(b"\xff\xd8\xff\xe0\x00\x00") == ImageHeader("jpeg", 0, 0, complete=False)
    assert read_header(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 10_000).complete is False  # type: ignore[union-attr]
    assert read_header(b"\xff\xd8" + b"\xff" * 10_000).complete is False  # type: ignore[union-attr]


def test_jpeg_without_markers_is_none() -> None:
    assert read_header(b"\xff\xd8\xff\xe0\x00\x02" + bytes(100)) is None


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"RIFF"])
def test_unknown_or_empty_is_none(data: bytes) -> None:
    assert read_header(data) is None
