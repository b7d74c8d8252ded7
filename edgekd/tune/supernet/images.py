"""The images of a search: those that the supernet learns from, and those that judge networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.data.augment import Augmentation
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.synthesis.inversion import middle
from edgekd.errors import InputError
from edgekd.recipe import AugmentSection

__all__ = ["SearchImages", "images_of_samples", "images_of_synthesis"]


@dataclass(frozen=True)
class SearchImages:
    """Images in memory.

    Attributes:
        train: uint8 [N, 3, M, M], which the supernet learns from.
        unchanged: Some of them as a device would see them, uint8 [P, 3, S, S].
        held_out: uint8 [V, 3, S, S], which judge networks.
        targets: What is right for each of those, int64 [V].
        augmentation: Random changes of the images that are learnt from.
        canvases: Whether S × S crops are learnt from, at random places, rather than whole images.
    """

    train: Tensor
    unchanged: Tensor
    held_out: Tensor
    targets: NDArray[Any]
    augmentation: AugmentSection
    canvases: bool = False

    @property
    def side(self) -> int:
        """S, in pixels."""
        return int(self.held_out.shape[-1])

    def batch(self, count: int, generator: torch.Generator) -> Tensor:
        """Augmented images float32 [count, 3, S, S] in 0…1, drawn with replacement."""
        rows = torch.randint(len(self.train), (count,), generator=generator)
        images = self.train[rows]
        if self.canvases:
            images = self._crops(images, generator)
        augmentation = Augmentation(self.augmentation, self.side)
        return augmentation(images.float() / 255.0, generator)

    def plain(self, batch: int) -> Iterator[Tensor]:
        """The unchanged images, float32 in 0…1, in batches."""
        return _batches(self.unchanged, batch)

    def judging(self, batch: int) -> Iterator[Tensor]:
        """The images that judge, float32 in 0…1, in batches."""
        return _batches(self.held_out, batch)

    def _crops(self, images: Tensor, generator: torch.Generator) -> Tensor:
        places = torch.randint(
            images.shape[-1] - self.side + 1, (len(images), 2), generator=generator
        ).tolist()
        pairs = zip(images, places, strict=True)
        return torch.stack(
            [each[:, top : top + self.side, left : left + self.side] for each, (top, left) in pairs]
        )


def images_of_samples(
    samples: RunSamples, augmentation: AugmentSection, unchanged: int
) -> SearchImages:
    """The recipe's training images, judged by its validation images; no test image is among them.

    Args:
        samples: The images of the recipe.
        augmentation: Its `augment` section.
        unchanged: Number of training images that are kept unchanged.

    Raises:
        InputError: The recipe has no images.
    """
    if not len(samples.images):
        message = "`--data recipe` searches with the recipe's images, and it has none"
        raise InputError(message, "search with --data none, or give images in `data`")
    chosen = np.array(samples.split.indices("train"), dtype=np.int64)
    some = np.random.default_rng(0).permutation(chosen)[:unchanged]  # of all classes
    held_out, targets = samples.part("validation")
    return SearchImages(
        _planes(samples.training_images[chosen]), _planes(samples.images[some]),
        _planes(held_out), targets, augmentation,
    )  # fmt: skip


def images_of_synthesis(
    canvases: Tensor,
    outputs: Tensor,
    side: int,
    held_out: float,
    augmentation: AugmentSection,
    unchanged: int,
) -> SearchImages:
    """Images that were made, the last of them held out; what the teacher answers is right.

    Args:
        canvases: uint8 [N, 3, C, C], two or more.
        outputs: The teacher's logits for their middles [N, K].
        side: S.
        held_out: Share of the images that judge.
        augmentation: Random changes of the images that are learnt from.
        unchanged: Number of images to learn from that are kept unchanged.
    """
    learnt = round(len(canvases) * (1.0 - held_out))
    learnt = min(max(learnt, 1), len(canvases) - 1)
    return SearchImages(
        canvases[:learnt], middle(canvases[:learnt][:unchanged], side),
        middle(canvases[learnt:], side), outputs[learnt:].argmax(dim=1).numpy(), augmentation,
        canvases=True,
    )  # fmt: skip


def _batches(images: Tensor, batch: int) -> Iterator[Tensor]:
    for start in range(0, len(images), batch):
        yield images[start : start + batch].float() / 255.0


def _planes(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
