"""The images of a run, decoded and split, and the order in which an epoch draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

from edgekd.data import Split, decoded_at_sizes, load_dataset, split_dataset
from edgekd.data.decoded import Progress, content_of
from edgekd.data.task import data_task
from edgekd.data.unlabelled import unlabelled_images
from edgekd.distill.task import TrainingTask, Trait, training_task
from edgekd.distill.teachers.sides import crop_side
from edgekd.errors import InputError
from edgekd.recipe import Balance, FitSection, Recipe

__all__ = [
    "NOTE",
    "EpochSampler",
    "OnceEach",
    "RunSamples",
    "Share",
    "decode_samples",
    "load_samples",
    "load_split",
]

NOTE = "note: "
"""Prefix of the lines that pass on a data set's notes."""


@dataclass(frozen=True)
class RunSamples:
    """The images of a run.

    Attributes:
        split: Which sample is in which part.
        images: uint8 [N, S, S, 3], in the data set's order: exactly what a device sees.
        targets: Targets [N, …]; for classification class indices, int64 [N].
        content_sha256: Hash of the image files; "" where it does not matter.
        unlabelled: The images of `data.unlabelled`, uint8 [U, M, M, 3]; None without any.
        unlabelled_sha256: Hash of their files.
        enlarged: The same images with more pixels, uint8 [N, M, M, 3], for training alone; None
            where the recipe's `augment.margin` is 1 and no teacher sees more than the student.
    """

    split: Split
    images: NDArray[np.uint8]
    targets: NDArray[Any]
    content_sha256: str = ""
    enlarged: NDArray[np.uint8] | None = None
    unlabelled: NDArray[np.uint8] | None = None
    unlabelled_sha256: str = ""

    @property
    def training_images(self) -> NDArray[np.uint8]:
        """The images that training augments, uint8 [N, M, M, 3], M = round(C · `augment.margin`),
        C being the larger of the sizes of teacher and student: the same centre square as in
        `images`, so that a crop of it still has C pixels.
        """
        return self.images if self.enlarged is None else self.enlarged

    @property
    def image_size(self) -> int:
        """S, the side in pixels of what the student sees."""
        return int(self.images.shape[1])

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the network's outputs."""
        return self.split.dataset.classes

    @property
    def task(self) -> TrainingTask:
        """The training layer of the task."""
        return training_task(self.split.dataset.task)

    @property
    def subclass_of(self) -> tuple[int, ...]:
        """Class index of each subclass; empty where classes are not divided."""
        return self.split.dataset.subclass_of

    def part(self, name: str) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Images and targets of one part."""
        chosen = self._indices(name)
        return self.images[chosen], self.targets[chosen]

    def groups(self, name: str) -> list[str]:
        """The lesion or patient of each image of one part."""
        samples = self.split.dataset.samples
        return [samples[index].group for index in self.split.indices(name)]

    def training_labels(self) -> NDArray[np.int64]:
        """Class index of each image [N], −1 outside of the training part.

        Empty for a task without exclusive classes.
        """
        if Trait.EXCLUSIVE_CLASSES not in self.task.traits:
            return np.empty(0, dtype=np.int64)
        labels = np.full_like(self.targets, -1)
        chosen = self._indices("train")
        labels[chosen] = self.targets[chosen]
        return labels

    def subclass_labels(self) -> NDArray[np.int64]:
        """Subclass index of each image [N]; empty where classes are not divided."""
        return np.array(self.split.dataset.subclass_labels(), dtype=np.int64)

    @cached_property
    def class_counts(self) -> tuple[int, ...]:
        """Training images of each class; an image counts for each class that it shows."""
        dataset = self.split.dataset
        return data_task(dataset.task).counts(self.targets[self._indices("train")], self.classes)

    def class_weights(self, balance: Balance) -> Tensor:
        """Weights of the hard-label loss, float32 [K]."""
        images = len(self.split.indices("train"))
        return self.task.class_weights(self.class_counts, images, balance)

    def sampling_weights(self, balance: Balance, part: str = "train") -> Tensor | None:
        """How often each image of a part is drawn, float64; None where each is drawn once.

        By its class, in the shares of the training part, and by the weight that the table gives it.
        """
        chosen = self._indices(part)
        by_class: Tensor | None = None
        if balance != "none":
            by_class = self.task.sampling_weights(self.targets[chosen], self.class_counts, balance)
        if not self.split.dataset.is_weighted:
            return by_class
        samples = self.split.dataset.samples
        weights = torch.tensor([samples[index].weight for index in chosen], dtype=torch.float64)
        if not weights.sum() > 0:
            message = "no training image has a weight above 0"
            raise InputError(message, "correct the column of `data.weight_column`")
        return weights if by_class is None else weights * by_class

    def adjustment(self, fit: FitSection) -> Tensor | None:
        """What the hard-label loss adds to the outputs, float32 [K]; None without adjustment."""
        if not fit.logit_adjustment:
            return None
        targets = self.targets[self._indices("train")]
        prior = self.task.log_prior(targets, self.draws(fit.class_sampling), len(self.classes))
        return fit.logit_adjustment * prior

    def draws(self, balance: Balance) -> Tensor:
        """How often each training image is drawn, relative to the others, float64 [N]."""
        weights = self.sampling_weights(balance)
        if weights is not None:
            return weights
        return torch.ones(len(self.split.indices("train")), dtype=torch.float64)

    def _indices(self, part: str) -> NDArray[np.int64]:
        return np.array(self.split.indices(part), dtype=np.int64)


def load_samples(
    recipe: Recipe, progress: Progress | None = None, say: Callable[[str], None] | None = None
) -> RunSamples:
    """Read, split and decode the images of a recipe; `say` receives the data set's notes.

    Raises:
        InputError: The data set cannot be read, or a part that training needs is empty.
    """
    return decode_samples(recipe, load_split(recipe, say), progress)


def load_split(recipe: Recipe, say: Callable[[str], None] | None = None) -> Split:
    """Read and split the images of a recipe without decoding any; `say` receives the notes.

    Raises:
        InputError: The data set cannot be read, or a part that training needs is empty.
    """
    split = split_dataset(load_dataset(recipe.data, recipe.task), recipe.split)
    if say:
        for note in split.dataset.notes:
            say(f"{NOTE}{note}")
    for part in ("train", "validation") if split.dataset.has_images else ():
        if not split.indices(part):
            message = f"the {part} part of {split.dataset.name} is empty"
            raise InputError(message, "give more images, or another `split`")
    return split


def decode_samples(recipe: Recipe, split: Split, progress: Progress | None = None) -> RunSamples:
    """The decoded images of a recipe's split."""
    if not split.dataset.has_images:
        nothing = np.zeros((0, recipe.image_size, recipe.image_size, 3), np.uint8)
        return RunSamples(split, nothing, np.zeros(0, np.int64))
    content = content_of(split.dataset)
    sizes = (recipe.image_size, recipe.augment.decoded_size(crop_side(recipe)))
    images, enlarged = decoded_at_sizes(split.dataset, sizes, progress, content)
    targets = split.dataset.targets()
    samples = RunSamples(
        split, images, targets, content.sha256, None if sizes[0] == sizes[1] else enlarged
    )
    unlabelled = unlabelled_images(recipe.data, split)
    if unlabelled is None:
        return samples
    content = content_of(unlabelled)
    (pool,) = decoded_at_sizes(unlabelled, sizes[1:], progress, content)
    return replace(samples, unlabelled=pool, unlabelled_sha256=content.sha256)


@dataclass(frozen=True)
class Share:
    """The images of a part that one of several processes sees: every `processes`-th."""

    rank: int = 0
    processes: int = 1


class EpochSampler(Sampler[int]):
    """The order of an epoch, a function of seed and epoch alone.

    A run that was interrupted draws the same images as one that was not, without any state. Several
    processes see parts of one order, equally many images each: the remainder at its end is left out
    of the epoch.

    Args:
        size: Images of the part.
        weights: How often each is drawn, relative to the others [size]; the epoch then has as many
            draws as there are images. None draws each image once.
        seed: Seed of the order.
        epoch: Gives the current epoch.
        share: Share of this process.
        done: Draws of this process to leave out of the first epoch.
    """

    def __init__(
        self,
        size: int,
        weights: Tensor | None,
        seed: int,
        epoch: Callable[[], int],
        share: Share = Share(),
        done: int = 0,
    ) -> None:
        self._size = size
        self._done = done
        self._weights = weights
        self._seed = seed
        self._epoch = epoch
        self._share = share

    def __len__(self) -> int:
        """Number of draws of this process."""
        return self._size // self._share.processes

    def __iter__(self) -> Iterator[int]:
        """The positions of the current epoch."""
        generator = torch.Generator().manual_seed(self._seed * 100_003 + self._epoch())
        if self._weights is None:
            order = torch.randperm(self._size, generator=generator)
        else:
            order = torch.multinomial(self._weights, self._size, True, generator=generator)
        positions = order[self._share.rank :: self._share.processes][: len(self)].tolist()
        done, self._done = self._done, 0
        return iter(positions[done:])


class OnceEach(Sampler[int]):
    """The positions of a part in their order, each in one process.

    Processes wait for each other in every step, so all take the same number: one that has fewer
    images repeats some at its end, which must not be counted.

    Args:
        size: Images of the part.
        share: Share of this process.
    """

    def __init__(self, size: int, share: Share = Share()) -> None:
        self._own = range(share.rank, size, share.processes)
        self._length = -(-size // share.processes)

    @property
    def counted(self) -> int:
        """Number of the first positions, those that are not repetitions."""
        return len(self._own)

    def __len__(self) -> int:
        """Number of positions, in every process the same."""
        return self._length

    def __iter__(self) -> Iterator[int]:
        """The positions."""
        repetitions = [0] * (self._length - len(self._own))
        return iter([*self._own, *repetitions])
