"""The training layer of a task: how it is found, and what it does unless a task overrides it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.data.augment import Augmentation
from edgekd.distill.batches import Batch
from edgekd.distill.task import TrainingTask, Trait, training_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import AugmentSection


class Whole(TrainingTask):
    """Targets that belong to the whole image; nothing else is of interest here."""

    def outputs(self, classes: Sequence[str]) -> int:
        return 1

    def hard_label_loss(
        self, outputs: Tensor, targets: Tensor, weights: Tensor, smoothing: float
    ) -> Tensor:
        return outputs.sum()

    def class_weights(self, counts: Sequence[int], images: int, balance: Any) -> Tensor:
        return torch.ones(len(counts))

    def sampling_weights(
        self, targets: NDArray[Any], counts: Sequence[int], balance: Any
    ) -> Tensor:
        return torch.ones(len(targets))


class Masks(Whole):
    """Targets [B, 1, S, S] that lie on the image."""

    def augmented(
        self, pixels: Tensor, targets: Tensor, augmentation: Augmentation
    ) -> tuple[Tensor, Tensor]:
        return augmentation.with_maps(pixels, targets)


def batch(task: TrainingTask, targets: Tensor, raw: Tensor) -> Batch:
    augmentation = Augmentation(AugmentSection(colour=0.0), torch.Generator().manual_seed(1))
    return Batch(
        raw, targets, torch.arange(len(raw)),
        augment_both=lambda p, t: task.augmented(p, t, augmentation),
    )  # fmt: skip


def test_the_default_task_has_one_class_for_each_image() -> None:
    assert Trait.EXCLUSIVE_CLASSES in training_task(DEFAULT_TASK).traits


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="there is no task") as caught:
        training_task(DEFAULT_TASK[:-1])
    assert f"did you mean {DEFAULT_TASK!r}" in caught.value.hint


def test_targets_of_whole_images_stay_as_they_are() -> None:
    raw, targets = torch.rand(6, 3, 8, 8), torch.arange(6)
    sample = batch(Whole(), targets, raw)
    assert not sample.pixels.equal(raw)
    assert sample.targets.equal(targets)


def test_masks_move_with_their_images() -> None:
    masks = (torch.rand(6, 1, 8, 8) > 0.7).float()
    raw = masks.expand(-1, 3, -1, -1).contiguous()
    sample = batch(Masks(), masks, raw)
    assert not sample.targets.equal(masks)
    torch.testing.assert_close(sample.pixels[:, :1], sample.targets)


def test_a_task_without_softened_outputs_refuses_to_soften() -> None:
    outputs = torch.zeros(2, 1)
    with pytest.raises(NotImplementedError, match="Whole softens no outputs"):
        Whole().softened_loss(outputs, outputs, 1.0)
    with pytest.raises(NotImplementedError, match="Whole softens no outputs"):
        Whole().sample_weights(outputs, outputs)
