"""Draws of some images, and rows of them."""

from __future__ import annotations

from dataclasses import fields

import torch

from edgekd.data.augment import Augmentation, Draw
from edgekd.recipe import AugmentSection


def test_rows_are_rows_of_every_parameter():
    draw = Augmentation(AugmentSection(policy="dermoscopy"), 16).draw(50, torch.Generator())
    assert len(draw) == 50
    rows = torch.tensor([4, 4, 49])
    for field in fields(Draw):
        values = getattr(draw.rows(rows), field.name)
        assert torch.equal(values, getattr(draw, field.name)[rows])
        assert torch.equal(getattr(draw.rows(draw.blur > 0), field.name),
                           getattr(draw, field.name)[draw.blur > 0])  # fmt: skip


def test_a_draw_that_changes_nothing():
    images = torch.rand(5, 3, 16, 16)
    augmentation = Augmentation(AugmentSection(), 16)
    assert torch.equal(augmentation.apply(images, Draw.unchanged(5)), images)
