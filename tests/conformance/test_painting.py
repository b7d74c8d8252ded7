"""Photos made in code."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgekd.conformance.painting import (
    LIKE_SRGB,
    as_stored,
    encode,
    exif,
    inserted,
    profile,
    skin,
    with_segment,
)
from edgekd.runtime.images.profile import conversion_of
from edgekd.runtime.preprocess import decode_image


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_photo_is_read_upright(turn: int) -> None:
    upright = skin(64, 40)
    jpeg = with_segment(encode(as_stored(upright, turn), ".jpg"), 0xE1, exif(turn))
    read = decode_image(jpeg, 16)
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright).mean() < 8


def test_skin_is_the_same_every_time_and_has_a_spot() -> None:
    image = skin(96, 96, 3)
    assert np.array_equal(image, skin(96, 96, 3))
    assert not np.array_equal(image, skin(96, 96, 4))
    assert image[52, 43].astype(int).sum() < image[5, 5].astype(int).sum() - 100


def test_profiles() -> None:
    assert conversion_of(profile("sRGB", LIKE_SRGB)) is None
    assert conversion_of(profile("Display P3", LIKE_SRGB)) is not None


def test_chunks_are_inserted_after_the_header() -> None:
    png = encode(skin(8, 8), ".png")
    assert cv2.imdecode(np.frombuffer(inserted(png, b""), np.uint8), cv2.IMREAD_COLOR) is not None


def test_what_opencv_does_not_write() -> None:
    with pytest.raises((RuntimeError, cv2.error)):
        encode(skin(8, 8), ".xyz")
