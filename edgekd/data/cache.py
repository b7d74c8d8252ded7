"""Decoded images on disk, so that an epoch costs no JPEG decoding."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.data.damage import damaged_error, load_images
from edgekd.data.dataset import Dataset
from edgekd.errors import ImageError
from edgekd.files import sha256_of
from edgekd.recipe import fingerprint
from edgekd.runtime.preprocess import RULE
from edgekd.seals import keep, keep_bytes
from edgekd.user_folders import cache_folder

__all__ = ["cache_folder", "content_sha256", "decode_images", "decoded"]

Progress = Callable[[int, int], None]


def decoded(dataset: Dataset, size: int, progress: Progress | None = None) -> NDArray[np.uint8]:
    """Every image of a data set as the network receives it.

    The file in the cache is keyed by the images' paths, sizes and dates, `size` and the
    preprocessing rule. Its hash is checked before use; a damaged file is written again.

    Returns:
        RGB uint8 [N, size, size, 3], mapped from the cache, read only.

    Raises:
        ImageError: An image is missing or damaged.
    """
    key = fingerprint(RULE, size, _stamps(dataset))

    def write(place: Path) -> None:
        with place.open("wb") as stream:
            np.save(stream, decode_images(dataset.paths(), size, progress))

    file = keep(cache_folder() / "decoded" / f"{key[:24]}.npy", key, write)
    mapped: NDArray[np.uint8] = np.load(file, mmap_mode="r", allow_pickle=False)
    return mapped


def content_sha256(dataset: Dataset) -> str:
    """Hash of the bytes of all image files, in order.

    It distinguishes data sets of equal names and labels. The files are read once; the hash is then
    kept in the cache, keyed as the decoded images are.

    Raises:
        ImageError: An image is missing.
    """
    key = fingerprint("content", _stamps(dataset))

    def digest() -> bytes:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            hashes = list(pool.map(sha256_of, dataset.paths()))
        return hashlib.sha256("".join(hashes).encode()).hexdigest().encode()

    return keep_bytes(cache_folder() / "contents" / key[:24], key, digest).decode()


def decode_images(
    paths: Sequence[Path], size: int, progress: Progress | None = None
) -> NDArray[np.uint8]:
    """The images of `paths` as the network receives them, uint8 [N, size, size, 3].

    Raises:
        ImageError: Images are missing or damaged; names the first and how many there are.
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


def _stamps(dataset: Dataset) -> tuple[str, list[str], list[tuple[int, int, int]]]:
    """Folder, names and file stamps of the images: a change of any image changes one of them."""
    names = [sample.image for sample in dataset.samples]
    return str(dataset.root.resolve()), names, [_stamp(path) for path in dataset.paths()]


def _stamp(path: Path) -> tuple[int, int, int]:
    """Size, modification and change time; no program can set the last, not even when copying."""
    try:
        status = path.stat()
    except OSError as error:
        message = f"the image {path} cannot be read: {error.strerror}"
        raise ImageError(message, "check the data set's folder") from error
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
