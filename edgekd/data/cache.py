"""Decoded images on disk, so that an epoch costs no JPEG decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.data.damage import damaged_error, load_images
from edgekd.data.dataset import Dataset
from edgekd.errors import ImageError
from edgekd.files import cache_folder, whole_file
from edgekd.recipe import fingerprint
from edgekd.runtime.preprocess import RULE

__all__ = ["cache_folder", "decode_images", "decoded"]

Progress = Callable[[int, int], None]


def decoded(dataset: Dataset, size: int, progress: Progress | None = None) -> NDArray[np.uint8]:
    """Every image of a data set as the network gets it.

    The file in the cache is keyed by the images' paths, sizes and dates, `size` and the rule.

    Returns:
        RGB uint8 [N, size, size, 3], mapped from the cache, read only.

    Raises:
        ImageError: An image is missing or damaged.
    """
    file = cache_folder() / "decoded" / f"{_key(dataset, size)}.npy"
    if not file.is_file():
        with whole_file(file) as beside, beside.open("wb") as stream:
            np.save(stream, decode_images(dataset.paths(), size, progress))
    mapped: NDArray[np.uint8] = np.load(file, mmap_mode="r")
    return mapped


def decode_images(
    paths: Sequence[Path], size: int, progress: Progress | None = None
) -> NDArray[np.uint8]:
    """The images of `paths` as the network gets them, uint8 [N, size, size, 3].

    Raises:
        ImageError: Images are missing or damaged: the first of them and how many there are.
    """
    images = np.empty((len(paths), size, size, 3), np.uint8)
    damaged = []
    for index, loaded in enumerate(load_images(paths, size, progress)):
        if isinstance(loaded, ImageError):
            damaged.append((str(paths[index]), loaded))
        else:
            images[index] = loaded
    if damaged:
        raise damaged_error(damaged, len(paths))
    return images


def _key(dataset: Dataset, size: int) -> str:
    names = [sample.image for sample in dataset.samples]
    stamps = [_stamp(path) for path in dataset.paths()]
    return fingerprint(RULE, size, str(dataset.root.resolve()), names, stamps)[:24]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        message = f"the image {path} cannot be read: {error.strerror}"
        raise ImageError(message, "check the data set's folder") from error
    return status.st_size, status.st_mtime_ns
