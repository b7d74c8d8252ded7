"""Decoding many images, with one error for all that are damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ImageError
from edgekd.runtime.preprocess import load_image

__all__ = ["Loaded", "cores", "damaged_error", "load_images", "refuse_damaged"]

Loaded = NDArray[np.uint8] | ImageError

_SHOWN = 5


def cores() -> int:
    """Number of cores that this process may use: as many threads decode at full speed."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_images(
    paths: Sequence[Path], size: int, progress: Callable[[int, int], None] | None = None
) -> Iterator[Loaded]:
    """Each image as the network receives it, uint8 [size, size, 3], or the error of decoding it."""

    def load(path: Path) -> Loaded:
        try:
            return load_image(path, size)
        except ImageError as error:
            return error

    with ThreadPoolExecutor(cores()) as pool:
        for index, loaded in enumerate(pool.map(load, paths)):
            yield loaded
            if progress:
                progress(index + 1, len(paths))


def refuse_damaged(paths: Sequence[Path], size: int) -> None:
    """Decode all images, so that one error names every damaged one.

    Raises:
        ImageError: Images cannot be read; names the first of them and how many there are.
    """
    loaded = zip(paths, load_images(paths, size), strict=True)
    damaged = [(str(path), one) for path, one in loaded if isinstance(one, ImageError)]
    if damaged:
        raise damaged_error(damaged, len(paths), "repair them, or remove their rows")


def damaged_error(
    damaged: Sequence[tuple[str, ImageError]],
    total: int,
    hint: str = "repair or remove them; `edgekd data inspect` lists all of them",
) -> ImageError:
    """One error for all damaged images, given as (path, error), of `total` in the data set."""
    first = damaged[0][1]
    if len(damaged) == 1:
        return first
    others = ", ".join(name for name, _ in damaged[1:_SHOWN])
    more = f" and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
    message = f"{len(damaged)} of {total} images cannot be used: {first.message}; {others}{more}"
    return ImageError(message, hint)
