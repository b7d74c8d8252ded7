"""One entry of the decoded cache: the images of a data set at one size.

An entry is a folder, named by the hash of what it depends on:

    images.npy   the images, an ordinary NumPy file; images.part while it is being built
    blocks       SHA-256 of each block of images, sealed; blocks.part while it is being built
    about.json   which data set it was made for, for people
    .build       locked by the process that builds it
    .use         locked by every process that reads it; its time is that of the last use

A block is written before its hash is, and is whole when its bytes have that hash: a build that was
killed goes on with the blocks that are not, and so does the repair of a damaged entry.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import finalize

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.data.damage import cores
from edgekd.locks import hold, unless_held, writer_in_turn
from edgekd.recipe import fingerprint
from edgekd.runtime.preprocess import RULE
from edgekd.seals import MISSING, flaw_of, read_sealed
from edgekd.user_folders import cache_folder

__all__ = [
    "ABOUT",
    "BLOCK",
    "BLOCKS",
    "BLOCKS_PART",
    "DIGEST",
    "IMAGES",
    "IMAGES_PART",
    "NO_DIGEST",
    "USE",
    "About",
    "Entry",
    "decoded_folder",
    "offset_in",
    "remove",
    "split_digests",
]

BLOCK = 32
"""Images of a block: few, so that all cores have work and a killed build loses little."""

ABOUT, USE, _BUILD = "about.json", ".use", ".build"
IMAGES, BLOCKS = "images.npy", "blocks"
IMAGES_PART, BLOCKS_PART = "images.part", "blocks.part"
DIGEST = hashlib.sha256().digest_size
NO_DIGEST = bytes(DIGEST)

_verified: set[tuple[Any, ...]] = set()
"""Files that this process has verified, so that gigabytes are hashed once."""


def decoded_folder() -> Path:
    """The folder of all entries."""
    return cache_folder() / "decoded"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """`about.json`: the data set that an entry was first made for."""

    name: str
    root: str
    images: int
    size: int


@dataclass(frozen=True)
class Entry:
    """The images of one content at one size.

    Attributes:
        folder: Folder of the entry.
        count: N, the number of images.
        size: S, their side in pixels.
        key: Hash of what the pixels depend on: the files' bytes in order, S, and the
            preprocessing rule.
    """

    folder: Path
    count: int
    size: int
    key: str

    @classmethod
    def of(cls, content_sha256: str, count: int, size: int) -> Entry:
        """The entry of a content, whether it is there or not."""
        key = fingerprint(RULE, size, content_sha256, BLOCK)
        return cls(decoded_folder() / key[:24], count, size, key)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.count // BLOCK)

    def rows(self, block: int) -> range:
        """Positions of the images of a block."""
        return range(block * BLOCK, min((block + 1) * BLOCK, self.count))

    # Reading -------------------------------------------------------------------------------

    def hold(self) -> Callable[[], None]:
        """Keep the entry from being removed, and note that it is used now; see `locks.hold`."""
        return hold(self.folder / USE)

    def open(self, release: Callable[[], None]) -> NDArray[np.uint8]:
        """The images, uint8 [N, S, S, 3], mapped and read only.

        Args:
            release: Called when no array of them is left.
        """
        mapped: NDArray[np.uint8] = np.load(self.folder / IMAGES, mmap_mode="r", allow_pickle=False)
        finalize(mapped, release)  # views and tensors of it keep it alive
        return mapped

    def flaw(self) -> str | None:
        """None if all blocks are whole; `seals.MISSING`, or the damage, as a predicate."""
        file = self.folder / IMAGES
        if not file.exists():
            return MISSING
        if not file.is_file():
            return f"has no images: {IMAGES} is a folder"
        if flaw := flaw_of(self.folder / BLOCKS, self.key):
            return f"has no list of its blocks: the file {BLOCKS} {flaw}"
        facts = file.stat()
        stamp = str(file), facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
        if stamp in _verified:
            return None
        digests = split_digests(read_sealed(self.folder / BLOCKS, self.key))
        damaged = self.blocks - len(self.whole_blocks(file, digests))
        if damaged:
            return f"is damaged in {damaged} of {self.blocks} blocks"
        _verified.add(stamp)
        return None

    def whole_blocks(self, file: Path, digests: Sequence[bytes]) -> set[int]:
        """Blocks whose bytes have their hash."""
        offset = offset_in(file, self.shape)
        if offset is None or len(digests) != self.blocks:
            return set()

        def is_whole(block: int) -> bool:
            if digests[block] == NO_DIGEST:
                return False
            with file.open("rb", buffering=0) as stream:
                stream.seek(offset + self.rows(block).start * self.row)
                raw = stream.read(len(self.rows(block)) * self.row)
            return hashlib.sha256(raw).digest() == digests[block]

        with ThreadPoolExecutor(cores()) as pool:
            checked = pool.map(is_whole, range(self.blocks))
            return {block for block, whole in enumerate(checked) if whole}

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the images, [N, S, S, 3]."""
        return self.count, self.size, self.size, 3

    @property
    def row(self) -> int:
        """Bytes of an image."""
        return self.size * self.size * 3

    # While it is being built --------------------------------------------------------------

    @contextmanager
    def building(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Build while no other process does; `waiting` is called while another one does."""
        with writer_in_turn(self.folder / _BUILD, waiting):
            yield

    def done(self) -> int:
        """How many blocks the process that builds the entry has written."""
        try:
            written = split_digests((self.folder / BLOCKS_PART).read_bytes())
        except OSError:
            return 0
        return sum(digest != NO_DIGEST for digest in written)


def remove(folder: Path) -> bool:
    """Remove a folder of the cache unless a process holds it; whether it was removed."""
    with unless_held(folder / USE) as free:
        if free:
            shutil.rmtree(folder, ignore_errors=True)
    return free


def offset_in(file: Path, shape: tuple[int, ...]) -> int | None:
    """Where images of that shape begin in a NumPy file; None where it holds something else."""
    try:
        images = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return int(images.offset) if images.shape == shape and images.dtype == np.uint8 else None


def split_digests(digests: bytes) -> list[bytes]:
    """The hash of each block; `NO_DIGEST` of those that are not written."""
    return [digests[n : n + DIGEST] for n in range(0, len(digests), DIGEST)]
