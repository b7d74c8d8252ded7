"""JPEG: what is read, and what is refused in words."""

from __future__ import annotations

import re
import struct
import time

import cv2
import numpy as np
import pytest
from jpegs import encode, make_image, with_exif
from pictures import by_pillow, distance, refusal

from edgekd.runtime.images import jpeg
from edgekd.runtime.images.header import Unreadable
from edgekd.runtime.preprocess import load_image

IMAGE = make_image(50, 30)
JPEG = encode(IMAGE)
PROGRESSIVE = encode(IMAGE, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
END = b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_frame(marker: int, precision: int = 8) -> bytes:
    """`JPEG` that says it is of another kind."""
    place = JPEG.index(b"\xff\xc0")
    changed = bytearray(JPEG)
    changed[place + 1], changed[place + 4] = marker, precision
    return bytes(changed)


def last_scan(data: bytes) -> bytes:
    """The last scan of a progressive JPEG, with its table."""
    return data[data.rfind(b"\xff\xc4", 0, data.rfind(b"\xff\xda")) : -2]


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, with_exif(JPEG, 6)])
def test_size_is_as_stored(data: bytes) -> None:
    header = jpeg.read_jpeg(data)
    assert (header.width, header.height, header.components, header.complete) == (50, 30, 3, True)
    assert not jpeg.read_jpeg(data[:-30]).complete


def test_thumbnail_is_not_taken_for_the_image() -> None:
    header = jpeg.read_jpeg(with_exif(JPEG, 1, encode(make_image(16, 8))))
    assert (header.width, header.height) == (50, 30)


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    assert jpeg.read_jpeg(JPEG[:2] + b"\xff\xff\xff" + JPEG[2:]) == jpeg.read_jpeg(JPEG)


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE])
def test_end_of_image_inside_a_comment_is_not_the_end(data: bytes) -> None:
    comment = segment(0xFE, b"looks like an end: \xff\xd9")
    assert not jpeg.read_jpeg(data[:2] + comment + data[2:-2]).complete


def test_scan_inside_a_comment_between_scans_is_not_counted() -> None:
    scans = jpeg.read_jpeg(PROGRESSIVE).scans
    assert scans == PROGRESSIVE.count(b"\xff\xda")
    comment = segment(0xFE, b"\xff\xda" * 300 + END)
    assert jpeg.read_jpeg(PROGRESSIVE[:-2] + comment + END).scans == scans


@pytest.mark.parametrize("head", [b"\xff\xe0\x00\x02" * 1000, b"\xff" * 10_000, b"\xff\xe0\x10"])
def test_segments_that_never_end_are_no_whole_image(head: bytes) -> None:
    assert not jpeg.read_jpeg(b"\xff\xd8" + head).complete


@pytest.mark.parametrize(
    "head",
    [b"\xff\xe0\x00\x02" + bytes(9), b"\xff\xe0\x00\x00", b"\xff\xe0\x00\x01", b"\xff\x02\x00\x02",
     b"\xff\xd8\xff\xd8", segment(0xC0, b"\x08\0\x20"), segment(0xC0, bytes(30))],
)  # fmt: skip
def test_what_is_no_marker_is_refused(head: bytes) -> None:
    with pytest.raises(Unreadable, match="cannot be decoded as jpeg"):
        jpeg.read_jpeg(b"\xff\xd8" + head + JPEG[2:])


def test_second_frame_does_not_hide_the_first() -> None:
    frame = segment(0xC0, bytes.fromhex("08001000100301220002110103110100"[:30]))
    assert "cannot be decoded" in refusal(JPEG[:2] + frame + JPEG[2:]).message


def test_restart_marker_before_the_frame_hides_nothing() -> None:
    """It has no length; taken for a segment, it would hide the frame behind a smaller one."""
    place = JPEG.index(b"\xff\xc0")
    assert jpeg.read_jpeg(JPEG[:place] + b"\xff\xd0" + JPEG[place:]) == jpeg.read_jpeg(JPEG)


def test_progressive_is_read() -> None:
    assert distance(load_image(PROGRESSIVE, 24), load_image(IMAGE, 24)) < 3


def test_grey_is_repeated() -> None:
    grey = np.ascontiguousarray(IMAGE[..., 1])
    loaded = load_image(encode(grey), 24)
    assert (loaded == loaded[..., :1]).all()
    assert distance(loaded, load_image(np.dstack([grey] * 3), 24)) < 3


def test_cmyk_is_refused() -> None:
    error = refusal(by_pillow(IMAGE, "JPEG", "CMYK"))
    assert error.message == "the image is a CMYK JPEG, colours for print"
    assert error.hint == "save it as RGB"


@pytest.mark.parametrize(
    ("marker", "words"),
    [(0xC3, "lossless"), (0xC5, "hierarchical"), (0xC6, "hierarchical"), (0xC7, "lossless"),
     (0xC9, "arithmetic"), (0xCA, "arithmetic"), (0xCB, "lossless"), (0xCD, "arithmetic"),
     (0xCE, "arithmetic"), (0xCF, "lossless")],
)  # fmt: skip
def test_rare_kinds_are_refused(marker: int, words: str) -> None:
    assert words in refusal(with_frame(marker)).message


def test_twelve_bits_are_refused() -> None:
    assert refusal(with_frame(0xC1, 12)).message == "the image is a JPEG of 12 bits a channel"


def test_second_picture_and_trailer_do_no_harm() -> None:
    expected = load_image(JPEG, 24)
    for trailer in (encode(make_image(8, 8)), b"Samsung trailer \xff\xda\xff\xc0", bytes(500)):
        np.testing.assert_array_equal(load_image(JPEG + trailer, 24), expected)


def test_too_many_scans_are_refused() -> None:
    assert jpeg.read_jpeg(PROGRESSIVE[:-2] + last_scan(PROGRESSIVE) * 50 + END).complete
    stuffed = PROGRESSIVE[:-2] + last_scan(PROGRESSIVE) * 100 + END
    assert re.search(r"is a JPEG of \d+ scans, which would take too long", refusal(stuffed).message)


def test_few_scans_of_many_pixels_are_refused() -> None:
    large = encode(np.zeros((5000, 8000, 3), np.uint8), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    stuffed = large[:-2] + last_scan(large) * 80 + END
    begin = time.perf_counter()
    assert "would take too long" in refusal(stuffed).message
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize("head", [b"\xff\xe0\0\2" * 3_000_000, b"\xff\xd0" * 6_000_000])
def test_segments_by_the_million_are_refused(head: bytes) -> None:
    begin = time.perf_counter()
    assert "more than 4096 segments" in refusal(JPEG[:2] + head + JPEG[2:]).message
    assert time.perf_counter() - begin < 1


def test_progressive_file_whose_coefficients_take_too_much_memory_is_refused() -> None:
    place = PROGRESSIVE.index(b"\xff\xc2")
    size = struct.pack(">HH", 11_000, 12_500)
    large = PROGRESSIVE[: place + 5] + size + PROGRESSIVE[place + 9 :]
    assert "12500x11000 pixels, too many for a jpeg of its kind" in refusal(large).message
