"""Changes of colour and sharpness: formulas, range, identity."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from edgekd.data.augment.colour import (
    blur,
    from_hsv,
    recolour,
    shift_hue_saturation,
    to_hsv,
)


def images(count: int = 6, size: int = 18) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_recolouring_is_brightness_then_contrast_then_saturation():
    """In one pass what one after another gives, but for limits in between."""
    pixels = 0.3 + 0.4 * images()
    factors = 1.0 + 0.2 * (torch.rand(6, 3) - 0.5)
    shift = 0.1 * (torch.rand(6, 3) - 0.5)
    brightness, contrast, saturation = (f.reshape(-1, 1, 1, 1) for f in factors.unbind(1))
    expected = pixels * brightness
    mean = expected.mean(dim=(1, 2, 3), keepdim=True)
    expected = mean + (expected - mean) * contrast
    luma = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    grey = (expected * luma).sum(dim=1, keepdim=True)
    expected = grey + (expected - grey) * saturation + shift[:, :, None, None]
    torch.testing.assert_close(recolour(pixels, factors, shift), expected)


def test_recolouring_keeps_the_range_and_the_input():
    pixels = images()
    before = pixels.clone()
    changed = recolour(pixels, torch.tensor([[1.9, 1.9, 1.9]] * 6), torch.full((6, 3), 0.2))
    assert 0.0 <= changed.min() <= changed.max() <= 1.0
    assert pixels.equal(before)
    unchanged = recolour(pixels, torch.ones(6, 3), torch.zeros(6, 3))
    torch.testing.assert_close(unchanged, pixels)


def test_recolouring_of_images_in_channels_last():
    pixels, factors = images(), torch.full((6, 3), 0.9)
    expected = recolour(pixels, factors, torch.zeros(6, 3))
    last = pixels.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(recolour(last, factors, torch.zeros(6, 3)), expected)


def test_blur_keeps_the_mean_and_lowers_the_contrast():
    pixels = images()
    blurred = blur(pixels, torch.linspace(0.5, 1.5, 6))
    torch.testing.assert_close(blurred.mean(), pixels.mean(), atol=5e-3, rtol=0)
    assert (blurred.var(dim=(2, 3)) <= pixels.var(dim=(2, 3)) + 1e-6).all()
    torch.testing.assert_close(blur(pixels, torch.zeros(6)), pixels)


@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.5])
def test_blur_of_a_point_is_a_gaussian(sigma):
    pixels = torch.zeros(1, 1, 21, 21)
    pixels[:, :, 10, 10] = 1.0
    blurred = blur(pixels, torch.tensor([sigma]))[0, 0]
    assert float(blurred[10, 11] / blurred[10, 10]) == pytest.approx(
        math.exp(-0.5 / sigma**2), rel=1e-4
    )


def test_hue_goes_round_and_comes_back():
    pixels = images()
    hue, saturation, value = to_hsv(pixels)
    torch.testing.assert_close(from_hsv(hue, saturation, value), pixels)
    torch.testing.assert_close(from_hsv(hue + 1.0, saturation, value), pixels)
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    turned = shift_hue_saturation(red, torch.tensor([[1 / 3, 0.0]]))
    torch.testing.assert_close(turned, torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1))


def test_saturation_is_shifted_and_limited():
    pale = torch.tensor([0.8, 0.6, 0.6]).reshape(1, 3, 1, 1)
    greyer = shift_hue_saturation(pale, torch.tensor([[0.0, -0.25]]))
    torch.testing.assert_close(greyer, torch.full((1, 3, 1, 1), 0.8))
    full = shift_hue_saturation(pale, torch.tensor([[0.0, 2.0]]))
    torch.testing.assert_close(full, torch.tensor([0.8, 0.0, 0.0]).reshape(1, 3, 1, 1))


def test_grey_and_black_have_no_hue():
    grey = torch.stack((torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.5)))
    assert from_hsv(*to_hsv(grey)).equal(grey)
