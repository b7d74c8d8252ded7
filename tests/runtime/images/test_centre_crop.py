"""Where the margin is odd, the square lies half a pixel nearer to the top or to the left.

Each way that pixels come in is held against slices with the numbers written out, so that a square
one pixel further on is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from jpegs import Image, as_stored, encode, with_exif
from pictures import by_pillow, interlaced, png, tiff

from edgekd.data import decode_images
from edgekd.runtime.preprocess import load_image, square

WIDE, TALL, SIDE = (30, 47), (47, 30), 30
NARROWEST = [(30, 31), (31, 30)]


def noise(height: int, width: int, seed: int = 0) -> Image:
    """Every pixel tells its place."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def centre(image: Image) -> Image:
    """The square of 30 pixels of a margin of 17 (8 and 9), or of 1 (0 and 1)."""
    return {
        (30, 47): image[:, 8:38],
        (47, 30): image[8:38],
        (30, 31): image[:, 0:30],
        (31, 30): image[0:30],
    }[image.shape[:2]]


def rows(image: Image) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in image)


LOSSLESS: dict[str, Callable[[Image], bytes | Image]] = {
    "array": lambda image: image,
    "array of strides": lambda image: np.asfortranarray(image),
    "png": lambda image: encode(image, ".png"),
    "png by hand": lambda image: png(image.shape[1], image.shape[0], rows(image)),
    "png interlaced": interlaced,
    "png with alpha": lambda image: encode(
        np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]), ".png"
    ),
    "png of 16 bits": lambda image: encode(image.astype(np.uint16) * 257, ".png"),
    "bmp": lambda image: encode(image, ".bmp"),
    "webp": lambda image: encode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    "tiff": lambda image: encode(image, ".tiff"),
    "tiff by hand": tiff,
    "tiff of tiles": lambda image: tiff(image, tile=32),
}


@pytest.mark.parametrize("shape", [WIDE, TALL, *NARROWEST])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless(kind: str, shape: tuple[int, int]) -> None:
    image = noise(*shape)
    source = LOSSLESS[kind](image)
    np.testing.assert_array_equal(load_image(source, SIDE), centre(image))
    halves = centre(image).reshape(15, 2, 15, 2, 3).mean(axis=(1, 3))
    assert np.abs(load_image(source, 15) - halves).max() <= 0.5


@pytest.mark.parametrize("shape", [WIDE, TALL, *NARROWEST])
def test_dicom(shape: tuple[int, int]) -> None:
    pytest.importorskip("pydicom")
    from dicoms import dicom, run_lengths
    from pydicom.uid import ImplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

    image = noise(*shape)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    size = {"Rows": shape[0], "Columns": shape[1]}
    for data in (
        dicom(image),
        dicom(image, syntax=ImplicitVRLittleEndian),
        dicom(planes.tobytes(), PlanarConfiguration=1, **size),
        dicom(run_lengths(image), "RGB", RLELossless, **size),
    ):
        np.testing.assert_array_equal(load_image(data, SIDE), centre(image))
    data = encode(image)
    found = load_image(dicom(data, "YBR_FULL_422", JPEGBaseline8Bit, **size), SIDE)
    np.testing.assert_array_equal(found, centre(decoded(data)))


def test_dicom_of_halved_chroma() -> None:
    pytest.importorskip("pydicom")
    from dicoms import dicom

    luma = noise(31, 30)[..., 0]
    pairs = np.full((31, 15, 4), 128, np.uint8)
    pairs[..., :2] = luma.reshape(31, 15, 2)
    size = {"Rows": 31, "Columns": 30}
    found = load_image(dicom(pairs.tobytes(), "YBR_FULL_422", **size), SIDE)
    np.testing.assert_array_equal(found, np.dstack([luma[:30]] * 3))


def decoded(data: bytes, flags: int = cv2.IMREAD_COLOR) -> Image:
    """What OpenCV makes of it, as RGB, lying as it is stored."""
    flags |= cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    assert pixels is not None
    return np.asarray(pixels[..., ::-1], np.uint8)


@pytest.mark.parametrize("shape", [WIDE, TALL, *NARROWEST])
@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_jpeg(options: tuple[int, ...], shape: tuple[int, int]) -> None:
    data = encode(noise(*shape), ".jpg", *options)
    np.testing.assert_array_equal(load_image(data, SIDE), centre(decoded(data)))


@pytest.mark.parametrize("shape", [WIDE, TALL, *NARROWEST])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_that_exif_turns(orientation: int, shape: tuple[int, int]) -> None:
    """The square is that of the upright picture, whichever way it is stored."""
    upright = cv2.resize(noise(*(n // 4 for n in shape)), shape[::-1])
    data = with_exif(encode(as_stored(np.asarray(upright, np.uint8), orientation)), orientation)
    back = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    turned = as_stored(decoded(data), back)
    assert turned.shape[:2] == shape
    np.testing.assert_array_equal(load_image(data, SIDE), centre(turned))


REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
           8: cv2.IMREAD_REDUCED_COLOR_8}  # fmt: skip


@pytest.mark.parametrize("shape", [WIDE, TALL, *NARROWEST])
@pytest.mark.parametrize("factor", REDUCED)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_jpeg_that_is_decoded_smaller(
    orientation: int, factor: int, shape: tuple[int, int]
) -> None:
    stored_shape = shape[::-1] if orientation in (6, 8) else shape
    stored = noise(*(factor * n for n in stored_shape))
    data = with_exif(encode(stored), orientation)
    small = decoded(data, int(REDUCED[factor]))
    assert small.shape[:2] == stored_shape
    turned = as_stored(small, {6: 8, 8: 6}.get(orientation, orientation))
    halves = centre(turned).reshape(15, 2, 15, 2, 3).mean(axis=(1, 3))
    assert np.abs(load_image(data, 15) - halves).max() <= 0.5


@pytest.mark.parametrize("shape", [WIDE, TALL, *NARROWEST])
def test_what_training_sees(shape: tuple[int, int], tmp_path: Path) -> None:
    image = noise(*shape)
    jpeg = encode(image)
    (tmp_path / "a.png").write_bytes(encode(image, ".png"))
    (tmp_path / "b.jpg").write_bytes(jpeg)
    (tmp_path / "c.webp").write_bytes(by_pillow(image, "WEBP", lossless=True))
    found = decode_images(sorted(tmp_path.iterdir()), SIDE)
    for one, wanted in zip(found, (image, decoded(jpeg), image), strict=True):
        np.testing.assert_array_equal(one, centre(wanted))


@pytest.mark.parametrize("margin", range(1, 8))
def test_the_square_itself(margin: int) -> None:
    """The smaller half of the margin comes first."""
    first = [0, 0, 1, 1, 2, 2, 3, 3][margin]
    wide = noise(9, 9 + margin)
    np.testing.assert_array_equal(square(wide, 9), wide[:, first : first + 9])
    tall = noise(9 + margin, 9)
    np.testing.assert_array_equal(square(tall, 9), tall[first : first + 9])
