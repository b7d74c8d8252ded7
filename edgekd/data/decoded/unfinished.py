"""An entry of the decoded cache while its process builds it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.data.decoded.entry import (
    ABOUT,
    BLOCKS,
    BLOCKS_PART,
    DIGEST,
    IMAGES,
    IMAGES_PART,
    NO_DIGEST,
    About,
    Entry,
    offset_in,
    split_digests,
)
from edgekd.files import pretty_json, write_atomically
from edgekd.seals import clear_place, flaw_of, read_sealed, write_sealed

__all__ = ["UnfinishedEntry", "begin"]


@dataclass(frozen=True)
class UnfinishedEntry:
    """An entry that is open for writing.

    Attributes:
        entry: The entry.
        whole: Blocks that were whole when it was opened.
        offset: Where the images begin in their file.
    """

    entry: Entry
    whole: frozenset[int]
    offset: int

    def write(self, block: int, images: NDArray[np.uint8]) -> None:
        """Write a block, uint8 [B, S, S, 3]; several threads may do so at once."""
        place = self.offset + self.entry.rows(block).start * self.entry.row
        _write_at(self.entry.folder / IMAGES_PART, place, images.data)
        digest = hashlib.sha256(images.data).digest()
        _write_at(self.entry.folder / BLOCKS_PART, block * DIGEST, digest)

    def finish(self) -> None:
        """Seal the entry once all of its blocks are written."""
        blocks = self.entry.folder / BLOCKS_PART
        digests = blocks.read_bytes()
        assert NO_DIGEST not in split_digests(digests)
        write_sealed(self.entry.folder / BLOCKS, digests, self.entry.key)
        (self.entry.folder / IMAGES_PART).replace(self.entry.folder / IMAGES)
        blocks.unlink()


def begin(entry: Entry, about: About) -> UnfinishedEntry:
    """Open an entry for writing, with the blocks of a build that was killed or before a damage.

    Only for the process that holds `Entry.building`.
    """
    _reopen(entry)
    write_atomically(entry.folder / ABOUT, pretty_json(about))
    images, blocks = entry.folder / IMAGES_PART, entry.folder / BLOCKS_PART
    digests = split_digests(blocks.read_bytes()) if blocks.is_file() else []
    whole = entry.whole_blocks(images, digests)
    if not whole:
        np.lib.format.open_memmap(images, "w+", np.dtype(np.uint8), entry.shape)
    known = [digests[block] if block in whole else NO_DIGEST for block in range(entry.blocks)]
    write_atomically(blocks, b"".join(known))
    offset = offset_in(images, entry.shape)
    assert offset is not None
    return UnfinishedEntry(entry, frozenset(whole), offset)


def _reopen(entry: Entry) -> None:
    """Turn a damaged entry into one that is being built."""
    images, blocks = entry.folder / IMAGES, entry.folder / BLOCKS
    for name in (IMAGES, BLOCKS, IMAGES_PART, BLOCKS_PART, ABOUT):
        clear_place(entry.folder / name, folders_only=True)
    if not images.is_file():
        return
    if flaw_of(blocks, entry.key) is None:
        write_atomically(entry.folder / BLOCKS_PART, read_sealed(blocks, entry.key))
        images.replace(entry.folder / IMAGES_PART)
    else:
        images.unlink()


def _write_at(file: Path, place: int, raw: Any) -> None:
    with file.open("r+b", buffering=0) as stream:
        stream.seek(place)
        rest = memoryview(raw).cast("B")
        while rest:
            rest = rest[stream.write(rest) :]
