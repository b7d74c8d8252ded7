"""An image as the owner of an imported network showed it: Pillow's resize, then the centre square.

Source: torchvision's `Resize` and `CenterCrop` for Pillow's images, which timm's evaluation uses,
too; the side that an image is resized to is truncated, as in timm.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgekd.models.card import InputCard
from edgekd.runtime.preprocess import decode_image

__all__ = ["own_view", "resized_side", "view_of"]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
_WHOLE = 1 << 20
"""A side for which no decoder takes a smaller scale."""


def own_view(path: Path, size: int, rule: InputCard) -> NDArray[np.uint8]:
    """An image file as its owner showed it, uint8 RGB [S, S, 3].

    Raises:
        ImageError: It is missing, damaged, or of a kind that is not read.
    """
    return view_of(decode_image(path.read_bytes(), _WHOLE, name=str(path)), size, rule)


def view_of(image: NDArray[np.uint8], size: int, rule: InputCard) -> NDArray[np.uint8]:
    """An image uint8 [H, W, 3] as its owner showed it, uint8 [S, S, 3]."""
    side = resized_side(size, rule)
    height, width = image.shape[:2]
    if rule.resize == "squash":
        target = (side, side)
    else:
        shorter = min(height, width)
        target = (side * width // shorter, side * height // shorter)
    picture = Image.fromarray(image)
    if target != (width, height):
        picture = picture.resize(target, _FILTERS[rule.interpolation])
    left, top = round((target[0] - size) / 2), round((target[1] - size) / 2)
    return np.array(picture.crop((left, top, left + size, top + size)), np.uint8)


def resized_side(size: int, rule: InputCard) -> int:
    """Side in pixels that an image is resized to before S pixels of its centre are cut out."""
    return max(size, math.floor(size / rule.fraction + 1e-6))
