"""Strips and tiles of a TIFF have to unpack to exactly its pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from jpegs import Image, encode, make_image
from pictures import by_pillow, refusal, tiff

from edgekd.runtime.preprocess import load_image

IMAGE = make_image(50, 30)


EXPECTED = load_image(IMAGE, 24)


NOISE = np.random.default_rng(0).integers(-9, 10, (120, 300, 3))


DETAILED = (make_image(300, 120) + NOISE).clip(0, 255).astype(np.uint8)


PACKED = {
    "lzw": ("tiff_lzw", {}), "deflate": ("tiff_adobe_deflate", {}), "packbits": ("packbits", {}),
    "old deflate": ("tiff_deflate", {}),
}  # fmt: skip


def packed(image: Image, kind: str) -> bytes:
    compression, options = PACKED[kind]
    return by_pillow(image, "TIFF", compression=compression, **options)


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("content", ["detailed", "black", "grey", "tiny", "wide"])
def test_packed_tiffs_are_read(kind: str, content: str) -> None:
    image = {
        "detailed": DETAILED, "black": np.zeros((300, 200, 3), np.uint8), "tiny": IMAGE[:1, :1],
        "grey": np.full((100, 333, 3), 128, np.uint8), "wide": DETAILED[:3],
    }[content]  # fmt: skip
    np.testing.assert_array_equal(load_image(packed(image, kind), 24), load_image(image, 24))
    for compression in (5, 8, 32946, 32773):
        ours = encode(image, ".tiff", cv2.IMWRITE_TIFF_COMPRESSION, compression)
        np.testing.assert_array_equal(load_image(ours, 24), load_image(image, 24))


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("how", ["zeros", "noise", "turned"])
def test_a_packed_tiff_whose_middle_was_overwritten_is_refused(kind: str, how: str) -> None:
    """OpenCV gave pixels, and only stderr told of the codes that were none."""
    whole = packed(DETAILED, kind)
    assert len(whole) > 20_000
    for seed in range(20):
        rng = np.random.default_rng(seed)
        length = int(len(whole) * rng.uniform(0.1, 0.3))
        start = int(len(whole) * rng.uniform(0.2, 0.5))
        part = whole[start : start + length]
        other = {"zeros": bytes(length), "turned": part[::-1],
                 "noise": rng.integers(0, 256, length).astype(np.uint8).tobytes()}[how]  # fmt: skip
        error = refusal(whole[:start] + other + whole[start + length :])
        assert error.message == "the image is damaged: the tiff data do not make up its picture"


@pytest.mark.parametrize("change", [{"t257": [20]}, {"t256": [40]}, {"t279": [0]}, {"t279": [99]}])
def test_a_plain_tiff_of_another_size_than_its_data(change: dict[str, list[int]]) -> None:
    error = refusal(tiff(IMAGE, **change))
    assert error.message == "the image is damaged: the tiff data do not make up its picture"


def test_a_plain_tiff_whose_last_strip_is_filled_up() -> None:
    height, width = IMAGE.shape[:2]
    filled = np.concatenate([IMAGE, IMAGE[: -height % 16]])
    strip = 16 * width * 3
    count = -(-height // 16)
    data = tiff(filled, t257=[height], t278=[16], t273=[8 + n * strip for n in range(count)],
                t279=[strip] * count)  # fmt: skip
    np.testing.assert_array_equal(load_image(data, 24), EXPECTED)
