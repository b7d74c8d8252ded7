"""Images of a data set that are decoded when they are taken, and kept nowhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.data.decoded.images import decode_images

__all__ = ["ImagesOnDemand"]


class ImagesOnDemand:
    """Stands for an array uint8 [N, S, S, 3] where a few of its rows are needed.

    Args:
        paths: The image files.
        size: S in pixels.

    Attributes:
        shape: (N, S, S, 3).
        dtype: uint8.
        decoded: Number of images decoded so far.
        seconds: Seconds that it took.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self._paths = paths
        self.shape = (len(paths), size, size, 3)
        self.decoded = 0
        self.seconds = 0.0

    def __len__(self) -> int:
        """Number of images."""
        return len(self._paths)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        """The images of a slice or of an array of positions [B, S, S, 3]."""
        positions = np.arange(len(self))[rows]
        start = time.perf_counter()
        images = decode_images([self._paths[n] for n in positions], self.shape[1])
        self.seconds += time.perf_counter() - start
        self.decoded += len(images)
        return images

    def take(
        self, indices: NDArray[np.int64], axis: int, out: NDArray[np.uint8], mode: str
    ) -> NDArray[np.uint8]:
        """What `numpy.take` calls: the images of some positions, written into `out`."""
        out[:] = self[indices]
        return out
