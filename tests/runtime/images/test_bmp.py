"""BMP: the plain kinds are read, rare and damaged ones refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from jpegs import Image, encode, make_image
from pictures import by_pillow, distance, refusal

from edgekd.runtime.preprocess import load_image

IMAGE = make_image(50, 30)


EXPECTED = load_image(IMAGE, 24)


def bmp(image: Image, **changes: int) -> bytes:
    """`image` as OpenCV writes it, with header fields changed."""
    places = {"width": (18, "<i"),
              "height": (22, "<i"), "bits": (28, "<H"), "compression": (30, "<I"),
              "planes": (26, "<H"), "size": (14, "<I"), "offset": (10, "<I")}  # fmt: skip
    data = bytearray(encode(image, ".bmp"))
    for name, value in changes.items():
        struct.pack_into(places[name][1], data, places[name][0], value)
    return bytes(data)


def test_bmp_kinds() -> None:
    np.testing.assert_array_equal(load_image(bmp(IMAGE), 24), EXPECTED)
    np.testing.assert_array_equal(load_image(bmp(IMAGE[::-1].copy(), height=-30), 24), EXPECTED)
    assert distance(load_image(by_pillow(IMAGE, "BMP", "P"), 24), EXPECTED) < 20


@pytest.mark.parametrize(
    "change", [{"bits": 4}, {"bits": 16}, {"compression": 1}, {"compression": 3}, {"size": 12}]
)
def test_rare_bmp_is_refused(change: dict[str, int]) -> None:
    assert refusal(bmp(IMAGE, **change)).message == "the image is a BMP of a rare kind"


@pytest.mark.parametrize("change", [{"planes": 3}, {"width": -50}, {"width": 0}, {"offset": 0}])
def test_damaged_bmp_is_refused(change: dict[str, int]) -> None:
    assert "cannot be decoded as bmp" in refusal(bmp(IMAGE, **change)).message
