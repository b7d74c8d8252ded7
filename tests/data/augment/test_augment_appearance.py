"""The changes of a draw that move no pixel: each to its own images, in their order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgekd.data.augment.appearance import change_appearance
from edgekd.data.augment.colour import blur, recolour, shift_hue_saturation
from edgekd.data.augment.draw import Draw
from edgekd.data.augment.holes import drop_blocks, drop_pixels, erase

IMAGES = torch.rand(4, 3, 24, 24, generator=torch.Generator().manual_seed(0))
SEEDS = torch.tensor([5, 6, 7, 8])
DRAWS = {
    "blur": (torch.tensor([0.0, 1.2, 0.0, 0.4]), lambda p, v, s: blur(p, v)),
    "dropped_pixels": (torch.tensor([0.0, 0.2, 0.0, 0.1]), drop_pixels),
    "dropped_blocks": (torch.tensor([0.0, 0.5, 0.0, 0.5]), drop_blocks),
    "factors": (
        torch.tensor([[1.0, 1.0, 1.0], [0.8, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.1, 0.7]]),
        lambda p, v, s: recolour(p, v, torch.zeros(len(p), 3)),
    ),
    "shift": (
        torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, -0.1, 0.1]]),
        lambda p, v, s: recolour(p, torch.ones(len(p), 3), v),
    ),
    "hue_saturation": (
        torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 0.0], [0.0, -0.2]]),
        lambda p, v, s: shift_hue_saturation(p, v),
    ),
    "erased": (
        torch.tensor([[0.0] * 4, [0.2, 0.2, 0.5, 0.9], [0.0] * 4, [0.0, 0.0, 1.0, 0.5]]), erase
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_a_change_is_applied_to_its_images_alone(name):
    values, change = DRAWS[name]
    draw = replace(Draw.unchanged(4), seeds=SEEDS, **{name: values})
    changed = change_appearance(IMAGES, draw)
    rows = torch.tensor([1, 3])
    torch.testing.assert_close(changed[rows], change(IMAGES[rows], values[rows], SEEDS[rows]))
    assert not torch.isclose(changed[rows], IMAGES[rows]).flatten(1).all(1).any()
    assert torch.equal(changed[[0, 2]], IMAGES[[0, 2]])


def test_colours_come_after_holes_and_erasing_last():
    draw = replace(
        Draw.unchanged(1), dropped_pixels=torch.tensor([1.0]), seeds=torch.tensor([3]),
        shift=torch.tensor([[0.25, 0.25, 0.25]]), erased=torch.tensor([[0.0, 0.0, 0.5, 1.0]]),
    )  # fmt: skip
    changed = change_appearance(IMAGES[:1], draw)
    assert (changed[:, :, :, 12:] == 0.25).all()
    assert changed[:, :, :, :12].std() > 0.2


def test_gradients_reach_the_images():
    """A generator is trained through what is augmented."""
    images = IMAGES.clone().requires_grad_()
    draw = replace(Draw.unchanged(4), seeds=SEEDS, **{n: v for n, (v, _) in DRAWS.items()})
    change_appearance(images, draw).sum().backward()
    assert images.grad is not None
    assert images.grad.flatten(1).abs().sum(1).min() > 0
