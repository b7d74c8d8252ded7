"""Views of the training images that do not change."""

from __future__ import annotations

import torch

from edgekd.data.augment import Augmentation
from edgekd.distill.teachers.fixed_views import FixedViews
from edgekd.recipe import AugmentSection

RAW = torch.rand(6, 3, 40, 40, generator=torch.Generator().manual_seed(0))
INDICES = torch.tensor([9, 2, 0, 5, 7, 3])
SECTION = AugmentSection(policy="trivial", erase=0.5, crop=0.6)


def fixed(seed: int = 0, views: int = 3) -> FixedViews:
    return FixedViews(Augmentation(SECTION, 32), 10, views, seed)


def test_a_view_depends_on_image_and_number_alone():
    views = torch.tensor([0, 1, 2, 0, 1, 2])
    together = fixed().pixels(RAW, INDICES, views)
    assert together.shape == (6, 3, 32, 32)
    order = torch.tensor([4, 1, 3])
    again = fixed().pixels(RAW[order], INDICES[order], views[order])
    assert again.equal(together[order])
    for other in (fixed(seed=1), fixed()):
        moved = views if other.seed else (views + 1) % 3
        assert not other.pixels(RAW, INDICES, moved).equal(together)


def test_every_image_shows_all_views_in_as_many_epochs():
    made = fixed()
    shown = torch.stack([made.in_epoch(7, epoch).of(torch.arange(10)) for epoch in range(3)])
    assert shown.sort(dim=0).values.equal(torch.arange(3).reshape(3, 1).expand(3, 10))
    assert len(shown[0].unique()) > 1  # images do not go through them in step
    assert made.in_epoch(7, 4).numbers.equal(made.in_epoch(7, 1).numbers)
    assert not made.in_epoch(8, 0).numbers.equal(made.in_epoch(7, 0).numbers)


def test_targets_stay():
    epoch, targets = fixed().in_epoch(0, 1), torch.arange(6)
    pixels, same = epoch.augmented(RAW, targets, INDICES)
    assert same is targets
    assert pixels.equal(fixed().pixels(RAW, INDICES, epoch.of(INDICES)))
