"""What a training step receives: one type for each kind of samples.

An unlabelled batch has no targets that could leak into its loss, and a synthesised one has no
positions in the data set: a method that reads what its samples do not have fails in its first step,
and is refused by a type checker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edgekd.data.augment import Augmentation
from edgekd.distill.samples.mixing import Mixing, Mixture, Targets
from edgekd.errors import InputError
from edgekd.models.own_size import resized
from edgekd.recipe import AugmentSection

if TYPE_CHECKING:
    from edgekd.distill.teachers.fixed_views import EpochViews, WholeImages

__all__ = ["Augment", "AugmentBoth", "Batch", "StepContext", "SynthesisedBatch", "UnlabelledBatch"]

Augment = Callable[[Tensor], Tensor]
"""Augments images [N, 3, S, S], each by a new draw of the recipe's augmentation."""

AugmentBoth = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Augments images [N, 3, S, S] and, by the same draw, their targets [N, …]."""


def _unchanged(pixels: Tensor) -> Tensor:
    return pixels


class _Images:
    """Images and how they are augmented."""

    raw: Tensor
    augment: Augment

    @cached_property
    def pixels(self) -> Tensor:
        """The images, augmented once, on first access: a method that augments its own views never
        pays for it.
        """
        return self.augment(self.raw)

    @property
    def crops(self) -> Tensor:
        """The same views as `pixels`, for a teacher."""
        return self.pixels


@dataclass(frozen=True)
class Batch(_Images):
    """Labelled images.

    Attributes:
        raw: Images before augmentation, float32 [B, 3, S, S] in 0…1 (networks normalise them).
        raw_targets: Targets of the raw images, as the task defines them [B, …].
        indices: Positions [B] in the data set, for methods that keep something for each image.
        epoch: Counted from 0.
        augment: The recipe's augmentation; the identity in validation.
        generator: Generator on the CPU; the source of every random number that a method draws, so
            that an interrupted run continues exactly as it would have.
        augment_both: Augments images and their targets by the same draw; by default targets stay.
        mixing: How the augmented images are mixed with each other; None leaves them apart.
        views: Number of the fixed view that each of `pixels` is [B]; None where they are not fixed.
        side: S, where the images are augmented at a larger size for the teacher; else None.
    """

    raw: Tensor
    raw_targets: Tensor
    indices: Tensor
    epoch: int = 0
    augment: Augment = _unchanged
    generator: torch.Generator = field(default_factory=torch.Generator)
    augment_both: AugmentBoth | None = None
    mixing: Mixing | None = None
    views: Tensor | None = None
    side: int | None = None

    @cached_property
    def pixels(self) -> Tensor:
        """The images, augmented and mixed once, on first access."""
        return self.crops if self.side is None else resized(self.crops, self.side)

    @cached_property
    def crops(self) -> Tensor:
        """The same views as `pixels`, at the larger of the sizes of teacher and student."""
        pixels, _ = self._augmented
        return pixels if self._mixture is None else self._mixture.pixels(pixels)

    @property
    def targets(self) -> Targets:
        """The targets [B, …] of `pixels`, for `Method.hard_label`."""
        return self.mixed(self._augmented[1])

    @property
    def unmixed_targets(self) -> Tensor:
        """The targets [B, …] of `pixels`, for methods whose images are never mixed.

        Raises:
            InputError: The images are mixed.
        """
        if self.mixing is not None:
            message = "a method that reads the label of each image was given mixed images"
            raise InputError(message, "set `augment.mixup` and `augment.cutmix` to 0")
        return self._augmented[1]

    def mixed(self, labels: Tensor) -> Targets:
        """Other labels of the images [B, …], such as subclasses, mixed as the images are."""
        return labels if self._mixture is None else self._mixture.targets(labels)

    @cached_property
    def _mixture(self) -> Mixture | None:
        if self.mixing is None:
            return None
        pixels, _ = self._augmented  # which draws first, whatever is read first
        return self.mixing.draw(len(pixels), pixels.shape[-1], self.generator)

    @cached_property
    def _augmented(self) -> tuple[Tensor, Tensor]:
        if self.augment_both is None:
            return self.augment(self.raw), self.raw_targets
        return self.augment_both(self.raw, self.raw_targets)


@dataclass(frozen=True)
class UnlabelledBatch(_Images):
    """Images without targets.

    Attributes:
        raw: Images before augmentation, float32 [B, 3, S, S] in 0…1.
        indices: Positions [B] in the data set, or in the images that the method gave.
        epoch: Counted from 0.
        augment: The recipe's augmentation.
        generator: See `Batch`.
        training_side: Side of the augmented images in pixels; 0 for that of the raw ones.
    """

    raw: Tensor
    indices: Tensor
    epoch: int = 0
    augment: Augment = _unchanged
    generator: torch.Generator = field(default_factory=torch.Generator)
    training_side: int = 0

    def view(self, section: AugmentSection) -> Tensor:
        """The images [B, 3, S, S] by a draw of another augmentation than the recipe's."""
        side = self.training_side or self.raw.shape[-1]
        return Augmentation(section, side)(self.raw, self.generator)


@dataclass(frozen=True)
class SynthesisedBatch(_Images):
    """Images that the method made.

    Attributes:
        raw: Images before augmentation, float32 [B, 3, S, S] in 0…1. The graph of what made them is
            still attached: a generator is trained through them; `detach` them to train a student.
        conditions: What each image was generated for, such as its class [B]; None where images
            are generated unconditionally.
        epoch: Counted from 0.
        augment: The recipe's augmentation.
        generator: See `Batch`.
    """

    raw: Tensor
    conditions: Tensor | None = None
    epoch: int = 0
    augment: Augment = _unchanged
    generator: torch.Generator = field(default_factory=torch.Generator)


@dataclass(frozen=True)
class StepContext:
    """A training step without samples.

    Attributes:
        size: Images to make in this step, in each process: the stage's batch size.
        device: Device of the networks.
        epoch: Counted from 0.
        augment: The recipe's augmentation.
        generator: See `Batch`.
        augment_both: See `Batch`.
        mixing: See `Batch`.
        views: The fixed view of each image in this epoch; None where every batch is augmented by
            draws of its own.
        side: See `Batch`.
        step: Number of the step in its epoch, counted from 0.
        training_side: See `UnlabelledBatch`.
    """

    size: int
    device: torch.device
    epoch: int = 0
    augment: Augment = _unchanged
    generator: torch.Generator = field(default_factory=torch.Generator)
    augment_both: AugmentBoth | None = None
    mixing: Mixing | None = None
    views: EpochViews | WholeImages | None = None
    side: int | None = None
    step: int = 0
    training_side: int = 0

    def batch(self, raw: Tensor, conditions: Tensor | None = None) -> SynthesisedBatch:
        """Images [B, 3, S, S] that were made in this step, and what they were made for [B, …]."""
        return SynthesisedBatch(raw, conditions, self.epoch, self.augment, self.generator)
