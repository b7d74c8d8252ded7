"""Each operation: range, identity at strength 0, determinism."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from edgekd.data import augment_dermoscopy as policy
from edgekd.data.augment import augment
from edgekd.errors import InputError
from edgekd.recipe import AugmentSection, convert

OPERATIONS = {
    "zoom": (policy.zoom, 1.0),
    "rotate": (policy.rotate, 120.0),
    "blur": (policy.blur, 1.5),
    "drop_pixels": (policy.drop_pixels, 0.05),
    "drop_blocks": (policy.drop_blocks, 0.3),
    "brighten": (policy.brighten, 0.5),
    "hue": (policy.shift_hue_saturation, 0.5),
    "mirror": (lambda p, share, g: policy.mirror(p, 3, share, g), 0.5),
}


def images(count: int = 6, size: int = 18) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def drawn(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name):
    operation, strength = OPERATIONS[name]
    pixels = images()
    found = operation(pixels, strength, drawn())
    assert found.shape == pixels.shape
    assert found.dtype == torch.float32
    assert 0.0 <= found.min() <= found.max() <= 1.0
    assert not found.equal(pixels)
    assert found.equal(operation(pixels, strength, drawn()))
    assert not found.equal(operation(pixels, strength, drawn(2)))
    assert operation(pixels, 0.0, drawn()).equal(pixels)


def test_images_are_changed_each_by_its_own_draw():
    pixels = images(1).repeat(6, 1, 1, 1)
    for name in OPERATIONS.keys() - {"mirror"}:
        operation, strength = OPERATIONS[name]
        found = operation(pixels, strength, drawn())
        assert len(torch.unique(found, dim=0)) == 6, name


def test_zoom_enlarges_about_the_centre():
    ring = torch.zeros(1, 3, 17, 17)
    ring[:, :, 6:11, 6:11] = 1.0
    assert policy.zoom(ring.repeat(20, 1, 1, 1), 1.0, drawn()).sum((1, 2, 3)).min() > ring.sum()


def test_a_turn_keeps_the_centre_and_mirrors_at_the_border():
    pixels = torch.full((4, 3, 17, 17), 0.25)
    pixels[:, :, 8, 8] = 1.0
    found = policy.rotate(pixels, 120.0, drawn())
    torch.testing.assert_close(found[:, :, 8, 8], torch.ones(4, 3), atol=1e-4, rtol=0)
    assert found.min() >= 0.25 - 1e-5  # no black corners


def test_blur_keeps_the_mean_and_lowers_the_contrast():
    pixels = images()
    found = policy.blur(pixels, 1.5, drawn())
    torch.testing.assert_close(found.mean(), pixels.mean(), atol=5e-3, rtol=0)
    assert (found.var(dim=(2, 3)) <= pixels.var(dim=(2, 3)) + 1e-6).all()


def test_blur_of_a_point_is_a_gaussian():
    pixels = torch.zeros(1, 1, 21, 21)
    pixels[:, :, 10, 10] = 1.0
    sigma = 1.5 * float(torch.rand(1, 1, generator=drawn()))
    found = policy.blur(pixels, 1.5, drawn())[0, 0]
    ratio = float(found[10, 11] / found[10, 10])
    assert ratio == pytest.approx(math.exp(-0.5 / sigma**2), rel=1e-4)


def test_holes_are_black_and_as_many_as_asked():
    white = torch.ones(40, 3, 64, 64)
    pixels = policy.drop_pixels(white, 0.05, drawn())
    assert 0.015 < (pixels == 0).float().mean() < 0.035
    blocks = policy.drop_blocks(white, 0.1, drawn())
    assert 0.08 < (blocks == 0).float().mean() < 0.12
    cells = blocks.unfold(2, 4, 4).unfold(3, 4, 4)
    assert (cells.amax((4, 5)) == cells.amin((4, 5))).all()


def test_hue_goes_round_and_comes_back():
    pixels = images()
    hue, saturation, value = policy._to_hsv(pixels)
    torch.testing.assert_close(policy._from_hsv(hue, saturation, value), pixels)
    torch.testing.assert_close(policy._from_hsv(hue + 1.0, saturation, value), pixels)
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    turned = policy._from_hsv(policy._to_hsv(red)[0] + 1 / 3, *policy._to_hsv(red)[1:])
    torch.testing.assert_close(turned, torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1))


def test_grey_and_black_have_no_hue():
    grey = torch.stack((torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.5)))
    assert policy._from_hsv(*policy._to_hsv(grey)).equal(grey)


def test_sometimes_leaves_the_others_untouched():
    pixels = images(200, 4)
    found = policy.sometimes(pixels, 0.25, lambda p, g: 1.0 - p, drawn())
    changed = (found != pixels).flatten(1).any(1)
    assert 0.15 < changed.float().mean() < 0.35
    assert found[~changed].equal(pixels[~changed])


@pytest.mark.parametrize("size", [16, 17, 48])
def test_the_policy(size):
    section = AugmentSection(policy="dermoscopy")
    pixels = images(64, size)
    found = augment(pixels, section, drawn())
    assert found.shape == pixels.shape
    assert 0.0 <= found.min() <= found.max() <= 1.0
    assert found.equal(augment(pixels, section, drawn()))
    assert not found.equal(augment(pixels, section, drawn(2)))
    untouched = (found == pixels).flatten(1).all(1).float().mean()
    assert 0.02 < untouched < 0.3  # 0.75³ · 0.5 · 0.8 · 0.9 · 0.75 = 0.11


def test_keys_that_the_policy_would_not_read_are_refused():
    with pytest.raises(InputError, match="dermoscopy takes no further keys"):
        convert({"policy": "dermoscopy", "zoom": 0.3}, AugmentSection, "the recipe")
