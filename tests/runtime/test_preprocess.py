"""The one rule: every way to give an image gives the same pixels; nothing damaged gives any."""

from __future__ import annotations

import resource
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from jpegs import as_stored, encode, make_image, with_exif
from pictures import distance, interlaced, png, refusal, tiff

from edgekd.errors import ImageError
from edgekd.runtime import preprocess
from edgekd.runtime.preprocess import (
    MAX_PIXELS,
    RULE,
    decode_image,
    load_at_sizes,
    load_image,
    square,
)

JPEG = encode(make_image(120, 90), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95)


def test_rule_has_a_name_that_stands_in_manifests() -> None:
    assert RULE == "centre-square-area-v2"


@pytest.mark.parametrize("shape", [(90, 120), (120, 90), (64, 64), (1, 1), (1, 300), (33, 32)])
@pytest.mark.parametrize("size", [1, 32, 64])
def test_shape_and_type(shape: tuple[int, int], size: int) -> None:
    image = load_image(np.zeros((*shape, 3), np.uint8), size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


def test_path_text_and_bytes_give_the_same(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(JPEG)
    expected = load_image(JPEG, 32)
    np.testing.assert_array_equal(load_image(file, 32), expected)
    np.testing.assert_array_equal(load_image(str(file), 32), expected)


def test_lossless_file_and_array_give_the_same() -> None:
    image = make_image(50, 70)
    for suffix in (".png", ".bmp", ".tiff"):
        np.testing.assert_array_equal(load_image(encode(image, suffix), 24), load_image(image, 24))


def test_channels_are_rgb() -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 250
    assert load_image(encode(red, ".png"), 8)[4, 4].tolist() == [250, 0, 0]
    assert load_image(red, 8)[4, 4].tolist() == [250, 0, 0]


def test_crop_is_the_centre_square() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    assert (load_image(wide, 5) == 200).all()
    assert (load_image(wide.transpose(1, 0, 2), 5) == 200).all()


def test_resize_is_by_area() -> None:
    fine = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    means = fine.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(load_image(fine, 16) - means).max() <= 0.5


def test_image_of_the_right_size_is_not_touched() -> None:
    image = make_image(32, 32)
    np.testing.assert_array_equal(square(image, 32), image)


def test_strided_array_is_read_right() -> None:
    image = make_image(40, 40)
    mirrored = image[:, ::-1]
    np.testing.assert_array_equal(load_image(mirrored, 16), load_image(mirrored.copy(), 16))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_makes_the_image_upright(orientation: int) -> None:
    upright = make_image(96, 96)
    jpeg = with_exif(encode(as_stored(upright, orientation)), orientation)
    assert distance(load_image(jpeg, 48), load_image(upright, 48)) < 4


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_orientation_holds_for_scaled_decoding_too(orientation: int) -> None:
    upright = make_image(640, 480)
    jpeg = with_exif(encode(as_stored(upright, orientation)), orientation)
    assert decode_image(jpeg, 32).shape[:2] == (120, 160)
    assert distance(load_image(jpeg, 32), load_image(upright, 32)) < 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_exif_orientation_out_of_range_is_ignored(orientation: int) -> None:
    np.testing.assert_array_equal(
        load_image(with_exif(JPEG, orientation), 32), load_image(JPEG, 32)
    )


@pytest.mark.parametrize(
    ("size", "shape"), [(32, (75, 100)), (37, (75, 100)), (38, (150, 200)), (75, (150, 200)),
                        (76, (300, 400)), (150, (300, 400)), (151, (600, 800)), (224, (600, 800))]
)  # fmt: skip
def test_jpeg_is_decoded_at_the_smallest_scale_that_leaves_twice_the_size(
    size: int, shape: tuple[int, int]
) -> None:
    jpeg = encode(make_image(800, 600))
    assert decode_image(jpeg, size).shape == (*shape, 3)


@pytest.mark.parametrize(
    ("suffix", "sizes", "decodes"),
    [(".jpg", (64, 70), 1), (".jpg", (64, 96), 2), (".jpg", (96, 64, 96, 70), 2),
     (".png", (64, 96), 1)],
)  # fmt: skip
def test_several_sizes_are_those_of_the_rule_from_as_few_decodes_as_it_allows(
    suffix: str, sizes: tuple[int, ...], decodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JPEG of 300 px is decoded at half its size up to 75 px."""
    data = encode(make_image(400, 300), suffix)
    expected = [load_image(data, size) for size in sizes]
    decoded = []
    decode = preprocess.decode

    def counted(data: bytes, size: int) -> Any:
        decoded.append(size)
        return decode(data, size)

    monkeypatch.setattr(preprocess, "decode", counted)
    for image, alone in zip(load_at_sizes(data, sizes), expected, strict=True):
        np.testing.assert_array_equal(image, alone)
    assert len(decoded) == decodes


def test_several_sizes_of_an_array() -> None:
    array = make_image(40, 30)
    for image, size in zip(load_at_sizes(array, (8, 12)), (8, 12), strict=True):
        np.testing.assert_array_equal(image, square(array, size))


@pytest.mark.parametrize("size", [32, 48, 96])
def test_scaled_decoding_is_close_to_full_decoding(size: int) -> None:
    jpeg = encode(make_image(800, 600), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95)
    full = cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1), cv2.COLOR_BGR2RGB)
    assert distance(load_image(jpeg, size), square(np.asarray(full, np.uint8), size)) < 1.5


def test_grey_alpha_and_16_bit_png_become_rgb() -> None:
    image = make_image(48, 48)
    grey = np.ascontiguousarray(image[..., 1])
    np.testing.assert_array_equal(
        load_image(encode(grey, ".png"), 24), load_image(np.dstack([grey] * 3), 24)
    )
    opaque = np.dstack([image, np.full((48, 48), 255, np.uint8)])
    np.testing.assert_array_equal(load_image(encode(opaque, ".png"), 24), load_image(image, 24))
    deep = encode((image.astype(np.uint16) * 257), ".png")  # type: ignore[arg-type]
    np.testing.assert_array_equal(load_image(deep, 24), load_image(image, 24))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_bytes_after_the_end_do_no_harm(suffix: str) -> None:
    whole = encode(make_image(60, 60), suffix)
    np.testing.assert_array_equal(load_image(whole + bytes(500), 16), load_image(whole, 16))


def assert_every_cut_is_refused(whole: bytes, step: int) -> None:
    load_image(whole, 32)
    for cut in (*range(0, len(whole) - 1, step), len(whole) - 2, len(whole) - 1):
        refusal(whole[:cut])


def test_truncated_jpeg_at_every_byte() -> None:
    assert_every_cut_is_refused(encode(make_image(40, 40)), step=1)


def test_truncated_progressive_jpeg() -> None:
    whole = encode(make_image(60, 60), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert_every_cut_is_refused(whole, step=3)


def test_truncated_jpeg_whose_thumbnail_has_an_end() -> None:
    thumbnail = encode(make_image(24, 24))
    whole = with_exif(JPEG, 1, thumbnail)
    np.testing.assert_array_equal(load_image(whole, 32), load_image(JPEG, 32))
    assert whole[: len(whole) // 2].find(b"\xff\xd9") > 0  # so a naive search would be fooled
    assert_every_cut_is_refused(whole, step=7)
    assert "truncated" in refusal(whole[: len(whole) // 2]).message


def test_truncated_png() -> None:
    whole = encode(make_image(40, 40), ".png")
    assert_every_cut_is_refused(whole, step=29)
    for missing in range(1, 25):
        refusal(whole[:-missing])


@pytest.mark.parametrize("suffix", [".bmp", ".webp", ".tiff"])
def test_truncated_in_half(suffix: str) -> None:
    whole = encode(make_image(64, 64), suffix)
    refusal(whole[: len(whole) // 2])


@pytest.mark.parametrize("data", [b"\xff", b"\xff\xd8", b"not an image at all", bytes(1000)])
def test_bytes_that_are_no_image(data: bytes) -> None:
    assert refusal(data).message == "the image is not an image of a known format"


def test_files_that_are_no_image_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("hello", encoding="utf-8")
    assert f"{tmp_path / 'notes.jpg'} is not an image" in refusal(tmp_path / "notes.jpg").message
    assert "does not exist" in refusal(tmp_path / "absent.jpg").message
    assert "does not exist" in refusal(str(tmp_path / "absent.jpg")).message
    assert "cannot be read" in refusal(tmp_path).message
    assert "cannot be read" in refusal(tmp_path / ("n" * 300)).message


def jpeg_claiming(width: int, height: int) -> bytes:
    frame = JPEG.index(b"\xff\xc0")
    return JPEG[: frame + 5] + struct.pack(">HH", height, width) + JPEG[frame + 9 :]


@pytest.mark.parametrize("bomb", [png(60_000, 60_000, bytes(1000)), jpeg_claiming(60_000, 60_000)])
def test_pixel_bomb_is_refused_before_it_takes_memory(bomb: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert f"60000x60000 pixels, more than {MAX_PIXELS}" in refusal(bomb).message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8, 3)),
        np.zeros((8, 8, 3), np.int8),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 0, 3), np.uint8),
        np.zeros((), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_wrong_array_is_refused(array: Any) -> None:
    message = refusal(array).message
    assert str(array.dtype) in message
    assert str(list(array.shape)) in message


def assert_image_or_error(data: bytes) -> None:
    try:
        image = load_image(data, 16)
    except ImageError:
        return
    assert image.shape == (16, 16, 3)


PREFIXES = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF\x10\0\0\0WEBP", b"II*\0"]


@fuzz(200)
@given(prefix=st.sampled_from(PREFIXES), rest=st.binary(max_size=200))
def test_random_bytes_never_crash(prefix: bytes, rest: bytes) -> None:
    assert_image_or_error(prefix + rest)


SMALL = [
    encode(make_image(40, 40)),
    with_exif(encode(make_image(40, 40)), 6, encode(make_image(8, 8))),
    encode(make_image(24, 24), ".png"),
    encode(make_image(40, 40), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    encode(make_image(24, 24), ".webp", cv2.IMWRITE_WEBP_QUALITY, 90),
    encode(make_image(24, 24), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    encode(make_image(24, 24), ".bmp"),
    encode(make_image(24, 24), ".tiff"),
    tiff(make_image(40, 40), tile=32),
    interlaced(make_image(24, 24)),
]


@fuzz(600)
@given(
    whole=st.sampled_from(SMALL),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=5),
    end=st.floats(0.0, 1.0) | st.just(1.0),
)
def test_cuts_and_flips_never_crash(
    whole: bytes, flips: list[tuple[float, int]], end: float
) -> None:
    content = bytearray(whole)
    for place, value in flips:
        content[int(place * len(content))] = value
    assert_image_or_error(bytes(content[: int(end * len(content))]))
