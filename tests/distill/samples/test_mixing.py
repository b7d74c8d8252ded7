"""Images mixed with others of their batch, and what their labels are then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from method_share import FIT, made, samples
from torch import Tensor

from edgekd.distill.methods import Batch
from edgekd.distill.samples.mixing import MixedTargets, Mixing, Mixture
from edgekd.distill.training.module import StageModule
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.task import metrics_task
from edgekd.recipe import AugmentSection

IMAGES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(6)


def drawn(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixtures(mixing: Mixing, number: int = 400, size: int = 16) -> list[Mixture]:
    generator = drawn()
    return [mixing.draw(6, size, generator) for _ in range(number)]


def batch(mixing: Mixing | None, seed: int = 3) -> Batch:
    def augment(pixels: Tensor) -> Tensor:
        return pixels * torch.rand(len(pixels), 1, 1, 1, generator=generator)

    generator = drawn(seed)
    return Batch(IMAGES, LABELS, LABELS, 0, augment, generator, mixing=mixing)


def test_mixup_blends_pixels_and_labels_by_one_share():
    mixture = Mixture(torch.tensor([3, 0, 1, 2, 5, 4]), 0.3)
    expected = 0.3 * IMAGES + 0.7 * IMAGES[mixture.partners]
    torch.testing.assert_close(mixture.pixels(IMAGES), expected)
    targets = mixture.targets(LABELS)
    assert targets.first.tolist() == LABELS.tolist()
    assert targets.second.tolist() == mixture.partners.tolist()
    assert targets.share.tolist() == pytest.approx([0.3] * 6)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 8.0])
def test_the_share_of_mixup_is_of_a_beta_distribution(alpha):
    found = mixtures(Mixing(alpha, 0.0), 3000)
    shares = np.array([mixture.share for mixture in found])
    assert all(mixture.box is None for mixture in found)
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.01)


def test_cutmix_pastes_a_rectangle_and_counts_its_pixels():
    pasted = []
    for mixture in mixtures(Mixing(0.0, 1.0)):
        mixed = mixture.pixels(IMAGES)
        partners = IMAGES[mixture.partners]
        ours = (mixed == IMAGES).all(dim=1) & (mixture.partners != LABELS)[:, None, None]
        theirs = (mixed == partners).all(dim=1)
        assert (ours | theirs).all()
        moved = mixture.partners != LABELS
        if moved.any():
            area = (~ours[moved]).float().mean(dim=(1, 2))
            torch.testing.assert_close(area, torch.full_like(area, 1.0 - mixture.share))
        pasted.append(1.0 - mixture.share)
    # Cut off at the border, the mean area is below the half that Beta(1, 1) has.
    assert 0.25 < np.mean(pasted) < 0.45
    assert min(pasted) < 0.02
    assert max(pasted) > 0.8


def test_boxes_lie_anywhere():
    covered = torch.zeros(16, 16)
    for mixture in mixtures(Mixing(0.0, 1.0)):
        assert mixture.box is not None
        left, top, right, bottom = mixture.box
        assert 0 <= left <= right <= 16
        assert 0 <= top <= bottom <= 16
        covered[top:bottom, left:right] += 1
    assert covered.min() > 40
    assert covered.flip(0).sub(covered).abs().max() < 60


def test_partners_are_a_permutation():
    for mixture in mixtures(Mixing(1.0, 1.0), 20):
        assert sorted(mixture.partners.tolist()) == LABELS.tolist()
    assert len({tuple(m.partners.tolist()) for m in mixtures(Mixing(1.0, 0.0), 50)}) > 30


def test_one_of_both_is_drawn_for_each_batch():
    pasted = [mixture.box is not None for mixture in mixtures(Mixing(0.2, 1.0))]
    assert 0.4 < np.mean(pasted) < 0.6


def test_what_is_drawn_follows_from_the_generator():
    first, again, other = (Mixing(1.0, 1.0).draw(6, 16, drawn(seed)) for seed in (1, 1, 2))
    assert first.share == again.share
    assert first.partners.equal(again.partners)
    assert first.share != other.share


def test_a_recipe_without_mixing_has_none():
    assert Mixing.of(AugmentSection()) is None
    assert Mixing.of(AugmentSection(mixup=0.2)) == Mixing(0.2, 0.0)
    assert Mixing.of(AugmentSection(policy="dermoscopy", cutmix=1.0)) == Mixing(0.0, 1.0)


def test_a_batch_is_the_same_whatever_is_read_first():
    pixels_first, targets_first = batch(Mixing(1.0, 1.0)), batch(Mixing(1.0, 1.0))
    labels_first = batch(Mixing(1.0, 1.0))
    labels_first.mixed(LABELS)
    pixels = pixels_first.pixels
    assert torch.equal(labels_first.pixels, pixels)
    targets = targets_first.targets
    assert isinstance(targets, MixedTargets)
    assert torch.equal(pixels, targets_first.pixels)
    assert isinstance(pixels_first.targets, MixedTargets)
    assert torch.equal(targets.second, pixels_first.targets.second)
    assert torch.equal(targets.share, pixels_first.targets.share)


def test_other_labels_are_mixed_as_the_images_are():
    mixed = batch(Mixing(1.0, 0.0))
    targets, others = mixed.targets, mixed.mixed(10 * LABELS)
    assert isinstance(targets, MixedTargets)
    assert isinstance(others, MixedTargets)
    assert torch.equal(others.second, 10 * targets.second)
    assert torch.equal(others.share, targets.share)
    plain = batch(None)
    assert plain.mixed(LABELS) is LABELS
    assert plain.targets is LABELS


def test_the_label_of_each_of_mixed_images_cannot_be_read():
    assert batch(None).unmixed_targets is LABELS
    with pytest.raises(InputError, match="reads the label of each image was given mixed images"):
        _ = batch(Mixing(1.0, 0.0)).unmixed_targets


def test_the_training_module_mixes_as_the_recipe_says():
    method: Any = made("kd", samples(False))
    (stage,) = method.stages()
    for section in (AugmentSection(), AugmentSection(mixup=0.3, cutmix=0.7)):
        module = Watchless(
            method, stage, samples(False), metrics_task(DEFAULT_TASK), FIT, section, 0
        )
        assert module._step_context(0).mixing == Mixing.of(section)


class Watchless(StageModule):
    """A training module outside of training."""

    current_epoch = 0
    global_rank = 0
    device = torch.device("cpu")
