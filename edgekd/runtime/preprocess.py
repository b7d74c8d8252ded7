"""The one preprocessing rule, for training, evaluation and every device.

`centre-square-area-v1`: decode (JPEG at the smallest DCT scale that leaves at least 2·S pixels
on the shorter side; EXIF orientation applied), centre square crop, area resize to S by S, RGB
uint8. Scaling to numbers is inside the deploy graph. What training sees is what a device computes.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ImageError
from edgekd.runtime.image_header import ImageHeader, read_header

__all__ = ["MAX_PIXELS", "RULE", "ImageSource", "decode_image", "load_image", "square"]

RULE = "centre-square-area-v1"
"""Name of the rule; it stands in checkpoints and manifests and changes when the rule does."""

MAX_PIXELS = 200_000_000
"""Larger images are refused before they take memory."""

ImageSource = str | Path | bytes | NDArray[np.uint8]
"""A path, encoded bytes, or an RGB array uint8 [H, W, 3]."""

_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)


def load_image(source: ImageSource, size: int) -> NDArray[np.uint8]:
    """An image as the network gets it.

    Args:
        source: A path, encoded bytes, or an RGB array uint8 [H, W, 3].
        size: S in pixels.

    Returns:
        RGB uint8 [S, S, 3].

    Raises:
        ImageError: It is missing, truncated, too large, or no image that can be read.
    """
    if isinstance(source, np.ndarray):
        return square(_checked_array(source), size)
    name = "the image" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _read(Path(source))
    return square(decode_image(data, size, name=name), size)


def decode_image(data: bytes, size: int, *, name: str = "the image") -> NDArray[np.uint8]:
    """Decode to RGB uint8 [H, W, 3], upright, with at least 2·`size` pixels on the shorter side
    where the image has them.

    Raises:
        ImageError: See `load_image`; `name` is used in the message.
    """
    header = _checked_header(data, name)
    flag = _decode_flag(header, size)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        bgr = None
    if bgr is None:
        message = f"{name} cannot be decoded as {header.format}"
        raise ImageError(message, "open it in an image viewer; replace it if it is damaged")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Centre square crop of an RGB image [H, W, 3], resized by area to [size, size, 3]."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    crop = image[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(crop)
    return np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"the image {path} does not exist", "check the path") from None
    except OSError as error:
        message = f"the image {path} cannot be read: {error.strerror}"
        raise ImageError(message, "check the path and its permissions") from error


def _checked_header(data: bytes, name: str) -> ImageHeader:
    header = read_header(data)
    if header is None:
        message = f"{name} is not an image of a known format"
        raise ImageError(message, "JPEG, PNG, BMP, WebP and TIFF are read")
    if not header.complete:
        message = f"{name} is truncated: the end of the {header.format} is missing"
        raise ImageError(message, "copy it again from its source")
    if header.width * header.height > MAX_PIXELS:
        message = f"{name} has {header.width}x{header.height} pixels, more than {MAX_PIXELS}"
        raise ImageError(message, "scale it down first")
    return header


def _decode_flag(header: ImageHeader, size: int) -> int:
    """The strongest DCT scaling that still leaves 2·size pixels on the shorter side."""
    if header.format == "jpeg":
        for factor, flag in _REDUCED:
            if min(header.width, header.height) // factor >= 2 * size:
                return int(flag)
    return int(cv2.IMREAD_COLOR)


def _checked_array(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        message = f"the array is {array.dtype} {list(array.shape)}, not uint8 [H, W, 3]"
        raise ImageError(message, "give RGB pixels as uint8 with three channels")
    return array
