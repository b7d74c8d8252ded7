"""Size and completeness are known before anything is decoded."""

from __future__ import annotations

import cv2
import pytest
from jpegs import encode, make_image
from pictures import refusal, tiff

from edgekd.runtime.images.decoding import read_header

IMAGE = make_image(50, 30)


LOSSLESS = encode(IMAGE, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)


@pytest.mark.parametrize(
    "data",
    [encode(IMAGE, ".bmp"), LOSSLESS, encode(IMAGE, ".webp"), encode(IMAGE, ".tiff"), tiff(IMAGE)],
)
def test_size_is_known_before_decoding_and_every_cut_is_refused(data: bytes) -> None:
    header = read_header(data)
    assert (header.width, header.height, header.complete) == (50, 30, True)
    for cut in (*range(4, len(data) - 1, 41), len(data) - 1):
        if (data.startswith(b"RIFF") and cut >= 12) or not data.startswith(b"RIFF"):
            assert "truncated" in refusal(data[:cut]).message, cut
