"""Loading batches ahead of the training step, straight from the mapped images.

A batch is gathered by one call for all of its images, which releases Python's lock, into memory
that PyTorch reuses; so threads suffice, and the images are never copied to other processes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

__all__ = ["BatchLoader", "Loader", "LoadersTogether", "StepNumbers", "WaitingShare"]


class Loader(Protocol):
    """What a stage's training loop iterates over, once for each epoch.

    Attributes:
        waited_s: Seconds that the training waited for batches since the loader was made.
    """

    @property
    def waited_s(self) -> float: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class BatchLoader:
    """Batches of some images: [images uint8 [B, S, S, 3], targets … , positions int64 [B]].

    Args:
        images: uint8 [N, S, S, 3], usually mapped from a file; only rows that are needed are read.
        indices: Positions in `images` of the part that is loaded [P].
        order: Draws the positions in the part, 0…P−1, of each epoch.
        size: B, images of a batch.
        targets: Arrays [N, …] whose rows go with the images.
        drop_last: Leave out a last batch that is not full.
        workers: Threads that gather batches ahead of the training; 0 gathers each when it is due.
        pin: Gather into page-locked memory, from which a GPU copies while it computes. PyTorch's
            allocator reuses it once the copy is complete.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        indices: Sequence[int],
        order: Sampler[int],
        size: int,
        *,
        targets: Sequence[NDArray[Any]] = (),
        drop_last: bool = True,
        workers: int = 1,
        pin: bool = False,
    ) -> None:
        self._images = images
        self._indices = np.array(indices, dtype=np.int64)
        self._order = order
        self._size = size
        self._targets = targets
        self._drop_last = drop_last
        self._workers = workers
        self._pin = pin
        self.waited_s = 0.0

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        draws = len(self._order)  # type: ignore[arg-type]  # edgekd's samplers have a length
        return draws // self._size if self._drop_last else -(-draws // self._size)

    def __iter__(self) -> Iterator[list[Tensor]]:
        """The batches of the current epoch."""
        batches = _ahead(self._gather, self._rows(), self._workers)
        try:
            while True:
                start = time.perf_counter()
                batch = next(batches, None)
                self.waited_s += time.perf_counter() - start
                if batch is None:
                    return
                yield batch
        finally:
            batches.close()

    def _rows(self) -> list[NDArray[np.int64]]:
        """The positions in the data set of each batch."""
        drawn = self._indices[np.fromiter(self._order, np.int64)]
        if self._drop_last:
            drawn = drawn[: len(drawn) // self._size * self._size]
        return [drawn[n : n + self._size] for n in range(0, len(drawn), self._size)]

    def _gather(self, rows: NDArray[np.int64]) -> list[Tensor]:
        shape = (len(rows), *self._images.shape[1:])
        images = torch.empty(shape, dtype=torch.uint8, pin_memory=self._pin)
        # Without "clip", NumPy would gather into a buffer first; all rows are in range.
        np.take(self._images, rows, axis=0, out=images.numpy(), mode="clip")
        columns = [torch.from_numpy(each[rows]) for each in self._targets]
        columns.append(torch.from_numpy(rows))
        return [images, *(each.pin_memory() if self._pin else each for each in columns)]


def _ahead(
    gather: Callable[[Any], Any], rows: Sequence[Any], workers: int
) -> Generator[Any, None, None]:
    """The results of `gather` in the order of `rows`, up to `workers` + 1 of them ahead."""
    if not workers:
        yield from map(gather, rows)
        return
    pending: deque[Future[Any]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="edgekd-loader")
    try:
        for each in rows:
            pending.append(pool.submit(gather, each))
            if len(pending) > workers + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class StepNumbers:
    """The numbers of the steps of an epoch without images of the data set."""

    steps: int
    waited_s: float = 0.0

    def __len__(self) -> int:
        """Number of steps."""
        return self.steps

    def __iter__(self) -> Iterator[int]:
        """The numbers, from 0."""
        return iter(range(self.steps))


class LoadersTogether:
    """A batch of each of several loaders in every step, by their names.

    An epoch ends with the loader that has the most batches; the others begin again within it.
    """

    def __init__(self, loaders: Mapping[str, Loader]) -> None:
        self._loaders = loaders
        self._longest = max(loaders, key=lambda name: len(loaders[name]))

    @property
    def waited_s(self) -> float:
        """Seconds that the training waited for any of them."""
        return sum(loader.waited_s for loader in self._loaders.values())

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._loaders[self._longest])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The batches of the current epoch."""
        streams = {
            name: iter(loader) if name == self._longest else _endless(loader)
            for name, loader in self._loaders.items()
        }
        for batch in streams[self._longest]:
            yield {
                name: batch if name == self._longest else next(stream)
                for name, stream in streams.items()
            }


def _endless(loader: Loader) -> Iterator[Any]:
    while True:
        yield from loader


class WaitingShare:
    """The share of an epoch's training time that was spent waiting for a loader."""

    def __init__(self) -> None:
        self._loader: Loader = StepNumbers(0)
        self._start = 0.0
        self._waited = 0.0
        self.share = 0.0

    def start(self, loader: Loader) -> None:
        """Begin an epoch, or the rest of one that was interrupted."""
        self._loader, self._waited = loader, loader.waited_s
        self._start = time.perf_counter()

    def stop(self) -> None:
        """The epoch's training is over: set `share`, 0…1."""
        seconds = time.perf_counter() - self._start
        self.share = (self._loader.waited_s - self._waited) / seconds if seconds > 0 else 0.0
