"""What a data set's image files contain, by which decoded images are kept."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edgekd.data.damage import cores
from edgekd.data.dataset import Dataset
from edgekd.errors import ImageError
from edgekd.files import sha256_of
from edgekd.recipe import fingerprint
from edgekd.seals import keep_bytes
from edgekd.user_folders import cache_folder

__all__ = ["Content", "Stamp", "content_of", "stamp_of"]

Stamp = tuple[int, int, int]
"""Size, modification and change time; no program can set the last, not even when copying."""

_FILES_AT_ONCE = 64


@dataclass(frozen=True)
class Content:
    """The image files of a data set.

    Attributes:
        paths: Their paths, in the data set's order.
        stamps: Their stamps when the hash was taken.
        sha256: Hash of the bytes of all files, in order: it distinguishes data sets of equal names
            and labels, and is the same wherever the files are.
    """

    paths: tuple[Path, ...]
    stamps: tuple[Stamp, ...]
    sha256: str


def content_of(dataset: Dataset) -> Content:
    """The content of a data set's images.

    The files are read once; the hash is then kept in the cache, by their folder, names and stamps.

    Raises:
        ImageError: An image is missing.
    """
    paths = tuple(dataset.paths())
    stamps = tuple(stamp_of(path) for path in paths)
    names = [sample.image for sample in dataset.samples]
    key = fingerprint("content", str(dataset.root.resolve()), names, stamps)

    def digest() -> bytes:
        return _digest_of(paths).encode()

    sha256 = keep_bytes(cache_folder() / "contents" / key[:24], key, digest).decode()
    return Content(paths, stamps, sha256)


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file, which changes when the file does.

    Raises:
        ImageError: It is missing.
    """
    try:
        status = path.stat()
    except OSError as error:
        message = f"the image {path} cannot be read: {error.strerror}"
        raise ImageError(message, "check the data set's folder") from error
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _digest_of(paths: tuple[Path, ...]) -> str:
    """Hash of the hashes of all files."""

    def hashes(first: int) -> str:
        return "".join(map(sha256_of, paths[first : first + _FILES_AT_ONCE]))

    with ThreadPoolExecutor(cores()) as pool:
        parts = pool.map(hashes, range(0, len(paths), _FILES_AT_ONCE))
        return hashlib.sha256("".join(parts).encode()).hexdigest()
