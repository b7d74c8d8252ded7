"""The images of a data set as a network receives them, from the cache or decoded into it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.data.damage import damaged_error, load_images
from edgekd.data.dataset import Dataset
from edgekd.data.decoded.building import Progress, build
from edgekd.data.decoded.content import Content, content_of
from edgekd.data.decoded.entry import BLOCK, About, Entry, remove
from edgekd.data.decoded.unfinished import begin
from edgekd.errors import ImageError
from edgekd.seals import MISSING

__all__ = ["decode_images", "decoded_at_sizes", "decoded_images"]

_log = logging.getLogger("edgekd")


def decoded_images(
    dataset: Dataset, size: int, progress: Progress | None = None
) -> NDArray[np.uint8]:
    """Every image of a data set as the network receives it; see `decoded_at_sizes`.

    Returns:
        RGB uint8 [N, size, size, 3], mapped from the cache, read only.
    """
    return decoded_at_sizes(dataset, (size,), progress)[0]


def decoded_at_sizes(
    dataset: Dataset,
    sizes: Sequence[int],
    progress: Progress | None = None,
    content: Content | None = None,
) -> list[NDArray[np.uint8]]:
    """Every image of a data set as networks of several sizes receive it, from one decode.

    Hashes of the images in the cache are checked before they are used; what is damaged, or was left
    by a build that was killed, is made again, and nothing else. Where another process decodes the
    same images, its work is waited for. `edgekd cache` removes nothing that is in use.

    Args:
        dataset: The data set.
        sizes: Each S in pixels.
        progress: Receives (done, total) while images are decoded, by this or another process.
        content: What `content_of` returned for the data set.

    Returns:
        RGB uint8 [N, S, S, 3] for each size, mapped from the cache, read only.

    Raises:
        ImageError: An image is missing or damaged.
        InputError: The cache cannot be written.
    """
    content = content or content_of(dataset)
    entries = {size: Entry.of(content.sha256, len(content.paths), size) for size in sizes}
    released = {size: entry.hold() for size, entry in entries.items()}
    try:
        _complete(dataset, content, list(entries.values()), progress)
    except BaseException as error:
        for size, entry in entries.items():
            released[size]()
            if isinstance(error, ImageError):  # once it is repaired, the content is another
                remove(entry.folder)
        raise
    opened = {size: entry.open(released[size]) for size, entry in entries.items()}
    return [opened[size] for size in sizes]


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


def _complete(
    dataset: Dataset, content: Content, entries: Sequence[Entry], progress: Progress | None
) -> None:
    """Build the entries that are not whole, after other processes that build them."""
    flawed = [entry for entry in entries if entry.flaw() is not None]
    with ExitStack() as stack:
        for entry in sorted(flawed, key=lambda each: each.key):  # no two wait for each other
            stack.enter_context(entry.building(_waiting(entry, progress)))
        flaws = {entry.key: entry.flaw() for entry in flawed}
        lacking = [entry for entry in flawed if flaws[entry.key] is not None]
        for entry in lacking:
            if flaws[entry.key] != MISSING:
                _log.warning("%s %s; made again", entry.folder, flaws[entry.key])
        if lacking:
            _build(dataset, content, lacking, progress)


def _build(
    dataset: Dataset, content: Content, entries: Sequence[Entry], progress: Progress | None
) -> None:
    root = str(dataset.root.resolve())
    unfinished = [
        begin(entry, About(name=dataset.name, root=root, images=entry.count, size=entry.size))
        for entry in entries
    ]
    build(content, unfinished, progress)


def _waiting(entry: Entry, progress: Progress | None) -> Callable[[], None]:
    """Report the progress of the process that is waited for."""

    def report() -> None:
        if progress:
            progress(min(entry.done() * BLOCK, entry.count - 1), entry.count)

    return report
