"""SHA-256 of image files, by which an image is known again under any name."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgekd.data.damage import cores
from edgekd.errors import ImageError
from edgekd.files import sha256_of

__all__ = ["image_hashes"]


def image_hashes(paths: Sequence[Path]) -> list[str]:
    """The hex SHA-256 of each file, in order.

    A copy of an image is known by it whatever its name and folder; one that was encoded again, cut
    or had its metadata changed is not.

    Raises:
        ImageError: A file is missing, or cannot be read.
    """
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(_hash_of, paths))


def _hash_of(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        message = f"the image {path} cannot be read: {error.strerror}"
        raise ImageError(message, "check the data set's folder") from error
