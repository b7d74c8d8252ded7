"""The training layer of a task: what it gives by default, and masks that move with their images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.data.augment import Augmentation, Draw
from edgekd.distill.methods import Batch, MethodContext, load_method, resolve_method
from edgekd.distill.task import TrainingTask, Trait, training_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import AugmentSection, Balance, FitSection

SECTION = AugmentSection(colour=0.0)


class Masks(TrainingTask):
    """One mask for each class, float32 [B, K, S, S]."""

    def outputs(self, classes: Sequence[str]) -> int:
        return len(classes)

    def hard_label_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        smoothing: float,
        shares: Tensor | None = None,
    ) -> Tensor:
        return (outputs - targets).square().mean()

    def class_weights(self, counts: Sequence[int], images: int, balance: Balance) -> Tensor:
        return torch.ones(len(counts))

    def sampling_weights(
        self, targets: NDArray[Any], counts: Sequence[int], balance: Balance
    ) -> Tensor:
        return torch.ones(len(targets), dtype=torch.float64)

    def augmented(
        self, pixels: Tensor, targets: Tensor, augmentation: Augmentation, draw: Draw
    ) -> tuple[Tensor, Tensor]:
        return augmentation.apply_with_maps(pixels, targets, draw)


def batch(task: TrainingTask, raw: Tensor, targets: Tensor) -> Batch:
    augmentation = Augmentation(SECTION, raw.shape[-1])
    draw = augmentation.draw(len(raw), torch.Generator().manual_seed(1))
    return Batch(
        raw, targets, torch.arange(len(raw)),
        augment_both=lambda pixels, given: task.augmented(pixels, given, augmentation, draw),
    )  # fmt: skip


def test_masks_move_with_their_images_and_labels_stay() -> None:
    raw = torch.rand(16, 3, 8, 8)
    masks = raw[:, :2]
    moved = batch(Masks(), raw, masks)
    assert torch.equal(moved.targets, moved.pixels[:, :2])
    assert not torch.equal(moved.targets, masks)
    assert torch.equal(moved.raw_targets, masks)
    labels = torch.arange(16)
    assert torch.equal(batch(training_task(DEFAULT_TASK), raw, labels).targets, labels)


def test_pixels_and_targets_are_of_one_draw() -> None:
    drawn = batch(Masks(), torch.rand(16, 3, 8, 8), torch.rand(16, 2, 8, 8))
    assert drawn.pixels is drawn.pixels
    assert drawn.targets is drawn.targets


def test_a_task_without_softened_outputs_has_no_softened_loss() -> None:
    assert Masks().traits == frozenset()
    with pytest.raises(NotImplementedError, match="Masks softens no outputs"):
        Masks().softened_loss(torch.zeros(1), torch.zeros(1), 1.0)


def test_methods_of_features_alone_serve_every_task() -> None:
    for name in ("none", "at", "rkd"):
        assert load_method(name).requires == frozenset()


def test_a_method_names_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekd.distill.methods.training_task", lambda name: Masks())
    with pytest.raises(InputError) as caught:
        resolve_method({"name": "kd"}, "masks")
    assert caught.value.message == (
        f"the method kd does not serve the task masks: it needs {Trait.SOFTENED_OUTPUTS.value}"
    )
    assert caught.value.hint == "set `method.name` to one of: none, at, rkd"


def test_hard_labels_are_weighed_by_the_task() -> None:
    context = MethodContext((1, 1), torch.ones(2), 4, 8, FitSection(), task=Masks())
    kind, config = resolve_method({"name": "none"})
    method = kind(config, torch.nn.Identity(), None, context)
    assert method.hard_label(torch.ones(2), torch.zeros(2)).item() == 1.0
