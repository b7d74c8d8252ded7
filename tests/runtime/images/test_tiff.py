"""BMP, WebP, TIFF: the usual kinds, with their size known before anything is decoded."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from jpegs import as_stored, encode, make_image
from pictures import by_pillow, refusal, tiff

from edgekd.runtime.preprocess import load_image

IMAGE = make_image(50, 30)
EXPECTED = load_image(IMAGE, 24)
LOSSLESS = encode(IMAGE, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)
OPAQUE = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)])
HOLE = OPAQUE.copy()
HOLE[3, 4, 3] = 254


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [0, 32, 64])
def test_tiff_in_strips_and_tiles(order: str, tile: int) -> None:
    np.testing.assert_array_equal(load_image(tiff(IMAGE, order, tile=tile), 24), EXPECTED)


@pytest.mark.parametrize("compression", [1, 5, 8, 32946])
def test_tiff_compressions(compression: int) -> None:
    data = encode(IMAGE, ".tiff", cv2.IMWRITE_TIFF_COMPRESSION, compression)
    np.testing.assert_array_equal(load_image(data, 24), EXPECTED)


def test_tiff_packbits_and_grey_and_orientation() -> None:
    packed = by_pillow(IMAGE, "TIFF", compression="packbits")
    np.testing.assert_array_equal(load_image(packed, 24), EXPECTED)
    grey = load_image(by_pillow(IMAGE[..., 1], "TIFF", "L"), 24)
    np.testing.assert_array_equal(grey, load_image(np.dstack([IMAGE[..., 1]] * 3), 24))
    turned = by_pillow(as_stored(IMAGE, 6), "TIFF", tiffinfo={274: 6})
    np.testing.assert_array_equal(load_image(turned, 24), EXPECTED)


def test_16_bit_tiff_is_scaled() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (24, 24, 3)).astype(np.uint16)
    loaded = load_image(encode(deep, ".tiff"), 24)  # type: ignore[arg-type]
    assert np.abs(loaded - deep / 257).max() <= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"following": 8}, "of several pages"), ({"t259": [7]}, "compression that is not read"),
     ({"t259": [4]}, "compression that is not read"), ({"t284": [2]}, "channels lie apart"),
     ({"t339": [3, 3, 3]}, "signed or floating"),
     ({"t262": [3], "t277": [1]}, "neither plain grey"),
     ({"t262": [5]}, "neither plain grey"), ({"t277": [4], "t258": [8] * 4}, "neither plain grey"),
     ({"t258": [32] * 3}, "neither 8 nor 16 bits"), ({"t258": [8]}, "neither 8 nor 16 bits"),
     ({"t330": [8]}, "other pictures inside"), ({"t50706": [1]}, "camera's raw photo"),
     ({"t262": [32803]}, "camera's raw photo"), ({"t258": [8, 8, 16]}, "cannot be decoded"),
     ({"t273": [8, 9]}, "truncated"), ({"t279": [10**6]}, "truncated"),
     ({"t256": [0]}, "cannot be")],
)  # fmt: skip
def test_other_kinds_of_tiff_are_refused(change: dict[str, list[int]], words: str) -> None:
    assert words in refusal(tiff(IMAGE, **change)).message


def test_tiles_of_absurd_size_are_refused() -> None:
    huge = tiff(IMAGE, tile=16, t322=[1 << 20], t323=[1 << 20])
    assert "tiles of a rare size" in refusal(huge).message


def test_big_tiff_is_refused() -> None:
    assert refusal(b"II+\0\x08\0\0\0" + bytes(100)).message == "the image is a BigTIFF"


def test_tables_that_claim_the_whole_file_take_no_memory() -> None:
    """Each field was once copied as 64-bit numbers: sixty thousand of them, a gigabyte each."""
    entry = struct.pack("<HHII", 273, 1, 20_000_000, 16) + struct.pack(
        "<HHII", 999, 1, 2 * 10**7, 16
    )
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + entry * 30_000 + bytes(21_000_000)
    assert "the image" in refusal(data).message


def claims(width: int, height: int) -> list[bytes]:
    lossy = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(10)
    packed = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return [
        b"RIFF" + struct.pack("<I", 32) + b"WEBPVP8 " + struct.pack("<I", 20) + lossy,
        b"RIFF" + struct.pack("<I", 32) + b"WEBPVP8L" + struct.pack("<I", 20) + b"\x2f" + packed
        + bytes(15),
    ]  # fmt: skip


def test_tiff_bomb_is_refused() -> None:
    bomb = tiff(IMAGE, t256=[20_000], t257=[20_000], t278=[20_000])
    assert "20000x20000 pixels, more than" in refusal(bomb).message
    strip = tiff(IMAGE, t256=[9000], t257=[9000], t278=[9000])
    assert "9000x9000 pixels, too many for a tiff" in refusal(strip).message


# Damage ----------------------------------------------------------------------------------------
