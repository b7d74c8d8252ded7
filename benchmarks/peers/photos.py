"""The photos: dermoscopy in the sizes of large cameras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.data.synthetic import CLASSES, paint
from edgekd.errors import InputError

__all__ = ["SIZES", "Photo", "make_photos"]

SIZES = ((600, 450), (4000, 3000), (6000, 4000))
QUALITY, NOISE = 92, 2.5  # JPEG quality; standard deviation of the sensor's noise in grey levels
_PAINTED_SIDE = 512

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Photo:
    """A JPEG on the disk, and its size in pixels."""

    path: Path
    width: int
    height: int

    @property
    def size(self) -> str:
        """The size as written in the tables."""
        return f"{self.width}×{self.height}"

    @property
    def shorter(self) -> int:
        """The shorter side."""
        return min(self.width, self.height)


def make_photos(
    folder: Path,
    count: int,
    images: Path | None,
    sizes: Sequence[tuple[int, int]] = SIZES,
) -> dict[str, list[Photo]]:
    """`count` photos of each size, by size; the same calls give the same photos.

    Args:
        folder: Folder to write them to.
        count: Photos of each size.
        images: Folder with dermoscopic JPEGs; None paints some.
        sizes: Width and height of each.

    Raises:
        InputError: The folder has too few images.
    """
    scenes = list(_read(images, count) if images else _painted(count))
    return {
        f"{width}×{height}": [
            _photograph(scene, width, height, folder / f"{width}x{height}-{index}.jpg", index)
            for index, scene in enumerate(scenes)
        ]
        for width, height in sizes
    }


def _painted(count: int) -> Iterator[Image]:
    for index in range(count):
        label = CLASSES[index % len(CLASSES)]
        yield np.ascontiguousarray(paint(label, index, _PAINTED_SIDE)[..., ::-1])


def _read(folder: Path, count: int) -> Iterator[Image]:
    """Images of the folder, evenly spread over it, BGR."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if len(files) < count:
        raise InputError(f"{folder} has {len(files)} JPEGs, {count} are needed", "give --images")
    for index in np.linspace(0, len(files) - 1, count).astype(int):
        image = cv2.imread(str(files[index]))
        if image is None:
            raise InputError(f"{files[index]} is no image", "give a folder of whole images")
        yield np.asarray(image, np.uint8)


def _photograph(scene: Image, width: int, height: int, path: Path, seed: int) -> Photo:
    """Write the scene, enlarged to fill the frame, with noise, as a JPEG 4:2:0."""
    cut = _of_shape(scene, width / height)
    large = cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = np.empty((height, width, 3), np.int16)
    cv2.setRNGSeed(seed + 1)
    cv2.randn(noise, (0, 0, 0), (NOISE, NOISE, NOISE))
    noisy = cv2.add(large, noise, dtype=cv2.CV_8U)
    settings: Sequence[int] = (
        cv2.IMWRITE_JPEG_QUALITY, QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    )  # fmt: skip
    cv2.imwrite(str(path), noisy, settings)
    return Photo(path, width, height)


def _of_shape(scene: Image, ratio: float) -> Image:
    """The largest centre crop with that ratio of width to height."""
    height, width = scene.shape[:2]
    wide, high = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - wide) // 2, (height - high) // 2
    return scene[top : top + high, left : left + wide]
