"""The images of a run, decoded and parted, and the order in which an epoch draws them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from edgekd.data import Split, content_sha256, decoded, load_dataset, split_dataset
from edgekd.data.cache import Progress
from edgekd.distill.losses import class_weights
from edgekd.distill.losses.cross_entropy import Balance
from edgekd.errors import InputError
from edgekd.recipe import Recipe

__all__ = [
    "NOTE",
    "EpochSampler",
    "OnceEach",
    "PartDataset",
    "RunSamples",
    "Share",
    "decode_samples",
    "load_samples",
    "load_split",
]

Item = tuple[Tensor, int, int]

NOTE = "note: "
"""What lines begin with that tell what became of the data."""


@dataclass(frozen=True)
class RunSamples:
    """The images of a run.

    Attributes:
        split: Which sample is in which part.
        images: uint8 [N, S, S, 3], in the data set's order.
        labels: int64 [N].
        content_sha256: Hash of the image files; "" where it does not matter.
    """

    split: Split
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    content_sha256: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the logits."""
        return self.split.dataset.classes

    @property
    def subclass_of(self) -> tuple[int, ...]:
        """Class index of each subclass; empty where classes are not divided."""
        return self.split.dataset.subclass_of

    def part(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images and labels of one part."""
        chosen = np.array(self.split.indices(name), dtype=np.int64)
        return self.images[chosen], self.labels[chosen]

    def groups(self, name: str) -> list[str]:
        """The lesion or patient of each image of one part."""
        samples = self.split.dataset.samples
        return [samples[index].group for index in self.split.indices(name)]

    def training_labels(self) -> NDArray[np.int64]:
        """Label of each image [N], −1 outside of the training part."""
        known = np.full_like(self.labels, -1)
        chosen = np.array(self.split.indices("train"), dtype=np.int64)
        known[chosen] = self.labels[chosen]
        return known

    def subclass_labels(self) -> NDArray[np.int64]:
        """Subclass index of each image [N]; empty where classes are not divided."""
        return np.array(self.split.dataset.subclass_labels(), dtype=np.int64)

    def subclass_counts(self) -> tuple[int, ...]:
        """Training images of each subclass."""
        labels = self.subclass_labels()
        found = Counter(labels[self.split.indices("train")].tolist() if len(labels) else [])
        return tuple(found[label] for label in range(len(self.subclass_of)))

    def class_counts(self) -> tuple[int, ...]:
        """Training images of each class."""
        found = Counter(self.labels[self.split.indices("train")].tolist())
        return tuple(found[label] for label in range(len(self.classes)))


def load_samples(
    recipe: Recipe, progress: Progress | None = None, say: Callable[[str], None] | None = None
) -> RunSamples:
    """Read, part and decode the images of a recipe; `say` takes the data set's notes.

    Raises:
        InputError: The data set cannot be read, or a part that training needs is empty.
    """
    return decode_samples(recipe, load_split(recipe, say), progress)


def load_split(recipe: Recipe, say: Callable[[str], None] | None = None) -> Split:
    """Read and part the images of a recipe, without decoding one; `say` takes its notes.

    Raises:
        InputError: The data set cannot be read, or a part that training needs is empty.
    """
    split = split_dataset(load_dataset(recipe.data), recipe.split)
    if say:
        for note in split.dataset.notes:
            say(f"{NOTE}{note}")
    for part in ("train", "validation"):
        if not split.indices(part):
            message = f"the {part} part of {split.dataset.name} is empty"
            raise InputError(message, "give more images, or another `split`")
    return split


def decode_samples(recipe: Recipe, split: Split, progress: Progress | None = None) -> RunSamples:
    """The decoded images of a recipe's split."""
    images = decoded(split.dataset, recipe.image_size, progress)
    labels = np.array(split.dataset.labels(), dtype=np.int64)
    return RunSamples(split, images, labels, content_sha256(split.dataset))


class PartDataset(TorchDataset[Item]):
    """One part, as (image uint8 [S, S, 3], label, position in the data set)."""

    def __init__(self, samples: RunSamples, part: str) -> None:
        self._samples = samples
        self._indices = samples.split.indices(part)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._indices)

    def __getitem__(self, position: int) -> Item:
        """The image at a position of the part."""
        index = self._indices[position]
        image = torch.from_numpy(np.array(self._samples.images[index]))
        return image, int(self._samples.labels[index]), index


@dataclass(frozen=True)
class Share:
    """What of a part one of several processes sees: every `processes`-th image, from its own on."""

    rank: int = 0
    processes: int = 1


class EpochSampler(Sampler[int]):
    """The order of an epoch, a function of seed and epoch alone.

    A run that was interrupted draws the same images as one that was not, without any state. Several
    processes see parts of one order, equally many images each: the few at its end that do not go
    round are left out of the epoch.

    Args:
        labels: Label of each position of the part.
        counts: Training images of each class.
        sampling: Each image once, or as many draws with rare classes more often.
        seed: Of the run.
        epoch: Gives the current epoch.
        share: That of this process.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        counts: tuple[int, ...],
        sampling: Balance,
        seed: int,
        epoch: Callable[[], int],
        share: Share = Share(),
    ) -> None:
        self._weights = class_weights(counts, sampling).double()[torch.from_numpy(labels)]
        self._even = sampling == "none"
        self._seed = seed
        self._epoch = epoch
        self._share = share

    def __len__(self) -> int:
        """Number of draws of this process."""
        return len(self._weights) // self._share.processes

    def __iter__(self) -> Iterator[int]:
        """The positions of the current epoch."""
        generator = torch.Generator().manual_seed(self._seed * 100_003 + self._epoch())
        total = len(self._weights)
        if self._even:
            order = torch.randperm(total, generator=generator)
        else:
            order = torch.multinomial(self._weights, total, True, generator=generator)
        return iter(order[self._share.rank :: self._share.processes][: len(self)].tolist())


class OnceEach(Sampler[int]):
    """The positions of a part in their order, each in one process.

    Processes take equally many steps, since they wait for each other in each: where one has fewer
    images, repetitions follow at its end, which are not to be counted.

    Args:
        size: Images of the part.
        share: That of this process.
    """

    def __init__(self, size: int, share: Share = Share()) -> None:
        self._own = range(share.rank, size, share.processes)
        self._length = -(-size // share.processes)

    @property
    def counted(self) -> int:
        """Number of images that are this process's own: the first ones."""
        return len(self._own)

    def __len__(self) -> int:
        """Number of positions, in every process the same."""
        return self._length

    def __iter__(self) -> Iterator[int]:
        """The positions."""
        repetitions = [0] * (self._length - len(self._own))
        return iter([*self._own, *repetitions])
