"""The generator that changes real images: nothing at first, then by noise and class."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgekd.distill.synthesis.changer import ImageChanger


def changer(limit: float = 0.25) -> ImageChanger:
    torch.manual_seed(0)
    made = ImageChanger(latent=4, width=4, classes=3, limit=limit)
    torch.nn.init.normal_(made.last.weight)
    return made


def inputs(side: int = 20, count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(1)
    images = torch.rand(count, 3, side, side, generator=drawn)
    return images, torch.randn(count, 4, generator=drawn), torch.arange(count) % 3


def test_it_begins_as_the_identity_and_learns_from_the_first_step():
    new = ImageChanger(latent=4, width=4, classes=3, limit=0.25)
    images, noise, labels = inputs()
    made = new(images, noise, labels)
    assert made.equal(images)
    made.square().sum().backward()
    assert new.last.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("side", [20, 21, 22, 23])
def test_images_of_any_size_keep_it(side):
    images, noise, labels = inputs(side)
    assert changer()(images, noise, labels).shape == images.shape


def test_a_pixel_changes_by_no_more_than_the_limit():
    images, noise, labels = inputs()
    changed = changer(0.1)(images, noise, labels)
    gap = (changed - images).abs().max()
    assert 0.05 < gap <= 0.1 + 1e-6
    assert changed.min() >= 0.0
    assert changed.max() <= 1.0


def test_noise_and_class_matter_and_other_images_do_not():
    images, noise, labels = inputs()
    made = changer()
    first = made(images, noise, labels)
    assert not torch.allclose(made(images, -noise, labels), first)
    assert not torch.allclose(made(images, noise, (labels + 1) % 3), first)
    torch.testing.assert_close(made(images[:1], noise[:1], labels[:1]), first[:1])


def test_its_noise_is_that_of_the_generator():
    made = changer()
    one, other = (made.noise(3, torch.Generator().manual_seed(seed)) for seed in (0, 0))
    assert one.equal(other)
    assert one.shape == (3, 4)
