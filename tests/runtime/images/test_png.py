"""PNG: depth, palettes, interlacing; transparency is refused unless it is opaque everywhere."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import pytest
from jpegs import as_stored, encode, make_image
from pictures import by_pillow, chunk, distance, inserted, interlaced, refusal
from pictures import png as written

from edgekd.runtime.images import png
from edgekd.runtime.preprocess import load_image

IMAGE = make_image(50, 30)
PNG = encode(IMAGE, ".png")
TRANSPARENT = "and what lies under them is not the photo"


def test_size_and_wholeness() -> None:
    header = png.read_png(PNG)
    assert (header.width, header.height, header.components, header.complete) == (50, 30, 3, True)
    assert not png.read_png(PNG[:-1]).complete
    assert not png.read_png(png.PNG_SIGNATURE).complete


def test_end_chunk_named_inside_text_is_not_the_end() -> None:
    text = chunk(b"tEXt", b"comment\0IEND" + bytes(4))
    assert not png.read_png(inserted(PNG, text)[:-30] + b"IEND").complete


def test_end_chunk_is_compared_to_its_last_byte() -> None:
    assert "is truncated" in refusal(PNG[:-1] + b"\0").message


@pytest.mark.parametrize("order", [b"", b"I", b"IM*\0", b"\0\0"])
def test_exif_without_an_order_of_bytes_is_refused(order: bytes) -> None:
    """libpng of OpenCV 4.9 refuses it, and newer ones do not."""
    assert "cannot be decoded as png" in refusal(inserted(PNG, chunk(b"eXIf", order))).message
    load_image(inserted(PNG, chunk(b"eXIf", b"MM\0*\0\0\0\10\0\0")), 24)


def test_header_that_does_not_come_first_is_refused() -> None:
    late = PNG[:8] + chunk(b"tEXt", b"a\0b") + PNG[8:]
    assert "cannot be decoded as png" in refusal(late).message


def test_interlaced() -> None:
    np.testing.assert_array_equal(load_image(interlaced(IMAGE), 24), load_image(IMAGE, 24))


def test_16_bit_keeps_the_upper_byte() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (24, 24, 3)).astype(np.uint16)
    loaded = load_image(encode(deep, ".png"), 24)  # type: ignore[arg-type]
    np.testing.assert_array_equal(loaded, (deep >> 8).astype(np.uint8))


def test_palette_grey_and_one_bit() -> None:
    palette = by_pillow(IMAGE, "PNG", "P")
    assert distance(load_image(palette, 24), load_image(IMAGE, 24)) < 20
    grey = np.ascontiguousarray(IMAGE[..., 1])
    expected = load_image(np.dstack([grey] * 3), 24)
    np.testing.assert_array_equal(load_image(encode(grey, ".png"), 24), expected)
    assert load_image(by_pillow(IMAGE, "PNG", "1"), 24).shape == (24, 24, 3)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_alpha_that_is_opaque_is_read(kind: type) -> None:
    opaque = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)]).astype(kind)
    opaque *= np.iinfo(kind).max // 255
    np.testing.assert_array_equal(load_image(encode(opaque, ".png"), 24), load_image(IMAGE, 24))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_one_transparent_pixel_is_enough_to_refuse(kind: type) -> None:
    alpha = np.full(IMAGE.shape[:2], 255, np.uint8)
    alpha[3, 4] = 254
    image = np.dstack([IMAGE, alpha]).astype(kind) * (np.iinfo(kind).max // 255)
    assert TRANSPARENT in refusal(encode(image, ".png")).message


@pytest.mark.parametrize("value", [255, 254])
def test_grey_with_alpha(value: int) -> None:
    grey = np.ascontiguousarray(IMAGE[..., 1])
    rows = b"".join(b"\0" + np.dstack([row, np.full_like(row, value)]).tobytes() for row in grey)
    data = written(50, 30, rows, colour=4)
    if value == 255:
        expected = load_image(np.dstack([grey] * 3), 24)
        np.testing.assert_array_equal(load_image(data, 24), expected)
    else:
        assert TRANSPARENT in refusal(data).message


def test_transparent_colours() -> None:
    opaque = by_pillow(IMAGE, "PNG", "P", transparency=bytes([255] * 4))
    assert b"tRNS" in opaque
    assert load_image(opaque, 24).shape == (24, 24, 3)
    assert (
        TRANSPARENT in refusal(by_pillow(IMAGE, "PNG", "P", transparency=bytes([255, 0]))).message
    )
    assert TRANSPARENT in refusal(by_pillow(IMAGE, "PNG", transparency=(1, 2, 3))).message
    assert TRANSPARENT in refusal(by_pillow(IMAGE, "PNG", "L", transparency=7)).message


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_orientation(orientation: int) -> None:
    body = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)
    turned = inserted(encode(as_stored(IMAGE, orientation), ".png"), chunk(b"eXIf", body))
    np.testing.assert_array_equal(load_image(turned, 24), load_image(IMAGE, 24))


def test_animation_is_refused() -> None:
    pillow = pytest.importorskip("PIL.Image")
    second = pillow.fromarray(255 - IMAGE)
    animated = by_pillow(IMAGE, "PNG", save_all=True, append_images=[second])
    assert refusal(animated).message == "the image is an animated PNG"


def test_compressed_texts_by_the_dozen_are_refused() -> None:
    """Each takes libpng 15 ms: nine hundred of them, in 7 MB, took it 14 seconds."""
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(7_900_000), 9))
    assert load_image(inserted(PNG, text), 24).shape == (24, 24, 3)
    begin = time.perf_counter()
    assert "in 900 compressed blocks" in refusal(inserted(PNG, text * 900)).message
    assert time.perf_counter() - begin < 1


def test_text_that_outweighs_the_photo_is_refused() -> None:
    text = chunk(b"tEXt", b"a\0" + bytes(20_000_000))
    assert "bytes of text" in refusal(inserted(PNG, text)).message


def test_chunks_by_the_million_are_refused() -> None:
    stuffed = inserted(PNG, chunk(b"tEXt", b"a\0b") * 1_000_000)
    assert "more than 100000 chunks" in refusal(stuffed).message


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0)])
def test_no_pixels(width: int, height: int) -> None:
    assert "cannot be decoded as png" in refusal(written(width, height, bytes(80))).message


def test_deep_alpha_is_refused_at_fewer_pixels() -> None:
    assert "too many for a png of its kind" in refusal(
        written(7000, 7000, bytes(10), depth=16, colour=6)
    ).message  # fmt: skip


def test_more_pixels_than_the_header_declares() -> None:
    """As where its height was changed: libpng gives the upper part and warns on stderr alone."""
    image = make_image(60, 40)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    load_image(written(60, 40, rows), 16)
    for data in (
        written(60, 30, rows),
        written(60, 40, rows + rows[:181]),
        written(60, 40, rows + b"\0"),
    ):
        assert "is damaged: the png data" in refusal(data).message
    load_image(interlaced(image[:, :3]), 16)
    load_image(interlaced(image[:5, :9]), 16)


def test_one_long_chunk_is_not_copied_over_and_over() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 3001), dtype=np.uint8)
    noise[:, 0] = 0
    load_image(written(1000, 1000, noise.tobytes()), 16)


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


SRGB = chunk(b"cHRM", numbers(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
P3 = chunk(b"cHRM", numbers(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))


@pytest.mark.parametrize(
    "told", [P3, chunk(b"gAMA", numbers(100_000)), chunk(b"gAMA", numbers(55_556)),
             chunk(b"cICP", bytes([12, 13, 0, 1])), chunk(b"cICP", bytes([9, 16, 0, 1]))],
)  # fmt: skip
def test_colours_that_are_told_by_numbers_and_are_not_srgb(told: bytes) -> None:
    error = refusal(inserted(encode(make_image(60, 40), ".png"), told))
    assert error.message == "the image is a PNG in other colours than sRGB"


@pytest.mark.parametrize(
    "told", [SRGB, chunk(b"gAMA", numbers(45_455)) + SRGB, chunk(b"cICP", bytes([1, 13, 0, 1])),
             chunk(b"sRGB", b"\0") + P3, chunk(b"gAMA", b"")],
)  # fmt: skip
def test_colours_that_are_told_by_numbers_and_are_srgb(told: bytes) -> None:
    image = make_image(60, 40)
    data = inserted(encode(image, ".png"), told)
    np.testing.assert_array_equal(load_image(data, 32), load_image(image, 32))
