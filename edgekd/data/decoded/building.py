"""Decoding images into the cache: blocks of them, in threads, at several sizes at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.data.damage import cores, damaged_error
from edgekd.data.decoded.content import Content, stamp_of
from edgekd.data.decoded.unfinished import UnfinishedEntry
from edgekd.errors import ImageError
from edgekd.runtime.preprocess import load_at_sizes

__all__ = ["Progress", "build", "decode_block"]

Progress = Callable[[int, int], None]
"""Receives (images done, images in all)."""

Damaged = list[tuple[str, ImageError]]


def build(
    content: Content, entries: Sequence[UnfinishedEntry], progress: Progress | None = None
) -> None:
    """Decode the blocks that entries of one content lack, each image once for all of them.

    Raises:
        ImageError: Images are missing or damaged, or were changed in the meantime; names the first
            and how many there are.
    """
    task = _Build(content, entries)
    total = len(content.paths)
    todo = [block for block in range(entries[0].entry.blocks) if task.entries_without(block)]
    done = total - sum(len(entries[0].entry.rows(block)) for block in todo)
    damaged: dict[int, Damaged] = {}
    with ThreadPoolExecutor(cores()) as pool:
        try:
            futures = {pool.submit(task.decode, block): block for block in todo}
            for future in as_completed(futures):
                damaged[futures[future]] = future.result()
                done += len(entries[0].entry.rows(futures[future]))
                if progress:
                    progress(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    flaws = [each for block in todo for each in damaged[block]]
    if flaws:
        raise damaged_error(flaws, total)
    for entry in entries:
        entry.finish()


@dataclass(frozen=True)
class _Build:
    content: Content
    entries: Sequence[UnfinishedEntry]

    def entries_without(self, block: int) -> list[UnfinishedEntry]:
        """The entries that lack a block."""
        return [entry for entry in self.entries if block not in entry.whole]

    def decode(self, block: int) -> Damaged:
        """Decode and write a block; returns what is damaged, in which case nothing is written."""
        lacking = self.entries_without(block)
        rows = lacking[0].entry.rows(block)
        paths = self.content.paths[rows.start : rows.stop]
        images, damaged = decode_block(paths, [each.entry.size for each in lacking])
        for path, stamp in zip(paths, self.content.stamps[rows.start : rows.stop], strict=True):
            if stamp_of(path) != stamp:
                message = f"the image {path} was changed while it was decoded"
                damaged.append((str(path), ImageError(message, "start again")))
        if not damaged:
            for entry, decoded in zip(lacking, images, strict=True):
                entry.write(block, decoded)
        return damaged


def decode_block(
    paths: Sequence[Path], sizes: Sequence[int]
) -> tuple[list[NDArray[np.uint8]], Damaged]:
    """Images as networks of several sizes get them, uint8 [B, S, S, 3] for each size S.

    Returns:
        The images, and those that are damaged, as (path, error); their pixels are undefined.
    """
    images = [np.empty((len(paths), size, size, 3), np.uint8) for size in sizes]
    damaged: Damaged = []
    for row, path in enumerate(paths):
        try:
            for array, image in zip(images, load_at_sizes(path, sizes), strict=True):
                array[row] = image
        except ImageError as error:
            damaged.append((str(path), error))
    return images, damaged
