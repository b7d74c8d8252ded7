"""WebP: the usual kinds are read, animated, turned and damaged ones refused."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from jpegs import as_stored, encode, make_image
from pictures import by_pillow, distance, refusal

from edgekd.runtime.preprocess import load_image

IMAGE = make_image(50, 30)


EXPECTED = load_image(IMAGE, 24)


LOSSLESS = encode(IMAGE, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)


OPAQUE = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)])


HOLE = OPAQUE.copy()


HOLE[3, 4, 3] = 254


def test_webp_kinds() -> None:
    np.testing.assert_array_equal(load_image(LOSSLESS, 24), EXPECTED)
    assert (
        distance(load_image(encode(IMAGE, ".webp", cv2.IMWRITE_WEBP_QUALITY, 90), 24), EXPECTED) < 5
    )


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_transparency(lossless: bool) -> None:
    hole = by_pillow(HOLE if lossless else HOLE // 2, "WEBP", "RGBA", lossless=lossless, exact=True)
    assert "is not the photo" in refusal(hole).message
    quality = 101 if lossless else 90
    opaque = encode(OPAQUE, ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)
    assert distance(load_image(opaque, 24), EXPECTED) < 5


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_webp_that_is_not_upright_is_refused(orientation: int) -> None:
    exif = pytest.importorskip("PIL.Image").Exif()
    exif[0x0112] = orientation
    data = by_pillow(as_stored(IMAGE, orientation), "WEBP", exif=exif, lossless=True)
    assert b"EXIF" in data
    if orientation == 1:
        np.testing.assert_array_equal(load_image(data, 24), EXPECTED)
    else:
        assert refusal(data).message == "the image is a WebP that is not stored upright"


@pytest.mark.parametrize(
    "damage", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"]
)
def test_webp_with_damaged_exif_is_taken_as_upright(damage: bytes) -> None:
    flags = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + bytes([49, 0, 0, 29, 0, 0])
    body = damage.ljust(20, b"\0")
    chunks = b"WEBP" + flags + LOSSLESS[12:] + b"EXIF" + struct.pack("<I", len(body)) + body
    data = b"RIFF" + struct.pack("<I", len(chunks)) + chunks
    np.testing.assert_array_equal(load_image(data, 24), EXPECTED)


def test_webp_animation_is_refused() -> None:
    second = pytest.importorskip("PIL.Image").fromarray(255 - IMAGE)
    animated = by_pillow(IMAGE, "WEBP", save_all=True, append_images=[second], lossless=True)
    assert refusal(animated).message == "the image is an animated WebP"


def test_webp_canvas_of_another_size_is_refused() -> None:
    exif = pytest.importorskip("PIL.Image").Exif()
    exif[0x0112] = 1
    data = bytearray(by_pillow(IMAGE, "WEBP", exif=exif, lossless=True))
    data[24:27] = (9999).to_bytes(3, "little")
    assert "cannot be decoded as webp" in refusal(bytes(data)).message


def test_webp_of_chunks_alone_is_refused() -> None:
    chunks = b"ABCD\0\0\0\0" * 1_000_000
    data = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    assert "cannot be decoded as webp" in refusal(data).message


def claims(width: int, height: int) -> list[bytes]:
    lossy = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(10)
    packed = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return [
        b"RIFF" + struct.pack("<I", 32) + b"WEBPVP8 " + struct.pack("<I", 20) + lossy,
        b"RIFF" + struct.pack("<I", 32) + b"WEBPVP8L" + struct.pack("<I", 20) + b"\x2f" + packed
        + bytes(15),
    ]  # fmt: skip


@pytest.mark.parametrize("data", claims(16383, 16383))
def test_webp_bomb_is_refused(data: bytes) -> None:
    assert "16383x16383 pixels, more than" in refusal(data).message
