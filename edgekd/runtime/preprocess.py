"""The one preprocessing rule, for training, evaluation and every device.

`centre-square-area-v2`: decode (JPEG at the smallest DCT scale that leaves at least 2·S pixels
on the shorter side; EXIF orientation applied), centre square crop (where the margin is odd, its
smaller half comes first), area resize to S by S, RGB uint8, converted to sRGB by the matrix and the
curves of a colour profile where there is one. Normalisation is inside the deploy graph. Training
uses the same pixels as a device.

(v1 ignored colour profiles.)

`edgekd.runtime.images` defines which files are read and how others are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.images.decoding import Picture, decode
from edgekd.runtime.images.header import MAX_BYTES, MAX_PIXELS, Unreadable
from edgekd.runtime.images.sources import ImageSource, checked_array, read_source

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "RULE",
    "ImageSource",
    "decode_image",
    "load_at_sizes",
    "load_image",
    "square",
]

RULE = "centre-square-area-v2"
"""Name of the rule, which is stored in checkpoints and manifests and changes with the rule."""


def load_image(source: ImageSource, size: int) -> NDArray[np.uint8]:
    """An image as the network gets it.

    Args:
        source: A path; encoded bytes (JPEG, PNG, BMP, WebP, TIFF, DICOM); a binary file object,
            read from its current position; or an RGB array uint8 [H, W, 3].
        size: S in pixels.

    Returns:
        RGB uint8 [S, S, 3].

    Raises:
        ImageError: It is missing, damaged, too large, or of a kind that is not read.
        MissingDependencyError: It is DICOM and pydicom is not installed.
    """
    return load_at_sizes(source, (size,))[0]


def load_at_sizes(source: ImageSource, sizes: Sequence[int]) -> list[NDArray[np.uint8]]:
    """An image as networks of several sizes get it, from one decode where the rule allows it.

    Args:
        source: See `load_image`, whose result each of them is, bit for bit.
        sizes: Each S in pixels. Large JPEGs, which are decoded at a smaller scale, are decoded
            once for each scale that the sizes need.

    Returns:
        RGB uint8 [S, S, 3] for each size.

    Raises:
        ImageError, MissingDependencyError: See `load_image`.
    """
    if isinstance(source, np.ndarray):
        array = checked_array(source)
        return [square(array, size) for size in sizes]
    data, name = read_source(source)
    try:
        pictures = _pictures(data, sizes)
    except Unreadable as verdict:
        raise verdict.error_for(name) from None
    return [  # colours last, on the small image
        picture.rgb(square(picture.bgr, size))
        for size, picture in zip(sizes, pictures, strict=True)
    ]


def _pictures(data: bytes, sizes: Sequence[int]) -> list[Picture]:
    """The picture to take each size from."""
    decoded: list[Picture] = []
    pictures = []
    for size in sizes:
        picture = next((each for each in decoded if each.serves(size)), None)
        if picture is None:
            picture = decode(data, size)
            decoded.append(picture)
        pictures.append(picture)
    return pictures


def decode_image(data: bytes, size: int, *, name: str = "the image") -> NDArray[np.uint8]:
    """Decode to RGB uint8 [H, W, 3], upright, with at least 2·`size` pixels on the shorter side
    where the image has them.

    Raises:
        ImageError: See `load_image`; `name` is used in the message.
    """
    try:
        picture = decode(data, size)
    except Unreadable as verdict:
        raise verdict.error_for(name) from None
    return picture.rgb(picture.bgr)


def square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Centre square crop of a colour image [H, W, 3], resized by area to [size, size, 3]."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    crop = image[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(crop)
    return np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
