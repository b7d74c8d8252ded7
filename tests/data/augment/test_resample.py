"""Images after affine maps: exact where nothing is interpolated, without aliasing where it is."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from edgekd.data.augment import affine
from edgekd.data.augment.resample import area_resized, warp

GENERATOR = torch.Generator().manual_seed(0)
NOISE = torch.rand(2, 3, 40, 40, generator=GENERATOR)


def by_opencv(pixels: Tensor, size: int) -> Tensor:
    images = [
        cv2.resize(image.permute(1, 2, 0).numpy(), (size, size), interpolation=cv2.INTER_AREA)
        for image in pixels
    ]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("size", [40, 39, 32, 25, 20, 11])
def test_areas_are_averaged_as_opencv_does(size):
    expected = by_opencv(NOISE, size)
    torch.testing.assert_close(area_resized(NOISE, size), expected, atol=1e-5, rtol=0)
    whole = warp(NOISE, affine.identity(2), size)
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [40, 32])
def test_every_exact_map_permutes_pixels(size):
    resized = area_resized(NOISE[:1], size)
    for turn in range(4):
        for across, down in ((False, False), (True, False), (False, True), (True, True)):
            expected = resized.flip([3] if across else []).flip([2] if down else [])
            expected = torch.rot90(expected, turn, (2, 3))
            maps = affine.compose(
                affine.mirroring(torch.tensor([across]), torch.tensor([down])),
                affine.quarter_turning(torch.tensor([turn])),
            )
            assert torch.equal(warp(NOISE[:1], maps, size), expected)


def test_sampling_agrees_with_permutation():
    """The directions of turns and mirrors are those of exact maps."""
    wave = smooth(64)
    turned = warp(wave, affine.quarter_turning(torch.tensor([1])), 64)
    almost = warp(wave, affine.rotation(torch.tensor([math.pi / 2 + 1e-4])), 64)
    torch.testing.assert_close(almost, turned, atol=5e-3, rtol=0)


def smooth(side: int) -> Tensor:
    """An image without fine detail and without symmetry."""
    x = torch.linspace(-1, 1, side)
    image = 0.5 + 0.2 * torch.sin(5 * x[None] + 2 * x[:, None]) + 0.1 * x[:, None]
    return image.repeat(1, 3, 1, 1)


def photograph(side: int) -> Tensor:
    """Noise with as much fine detail as photographs have: amplitude ∝ 1 / frequency."""
    spectrum = torch.fft.rfft2(torch.rand(1, 3, side, side, generator=GENERATOR) - 0.5)
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)
    image = torch.fft.irfft2(
        spectrum / (rows.square() + columns.square()).sqrt().clamp(min=1 / side)
    )
    image = image - image.amin()
    return image / image.amax()


def sampled_plainly(pixels: Tensor, maps: Tensor, size: int) -> Tensor:
    grid = torch.nn.functional.affine_grid(maps, [1, 3, size, size], align_corners=False)
    return torch.nn.functional.grid_sample(pixels, grid, align_corners=False)


@pytest.mark.parametrize("ratio", [1.1, 1.25, 1.6, 2.0, 2.4, 2.7, 4.0])
def test_a_centre_crop_is_that_of_areas(ratio):
    """Half of the side by a map is OpenCV's area resize of that half, to a few grey values."""
    image, size = photograph(240), round(120 / ratio)
    crop = affine.cropping(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.0, 0.0]]))
    assert not affine.is_exact(crop).any()
    expected = by_opencv(image[:, :, 60:180, 60:180], size)
    difference = (warp(image, crop, size) - expected).abs().mean()
    assert difference < 4 / 255
    plain = (sampled_plainly(image, crop, size) - expected).abs().mean()
    assert difference < 0.9 * plain or plain < 1e-4  # a pixel in the middle of 2×2 is their mean


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("ratio", [1.1, 1.3, 1.7, 2.3, 3.4])
def test_the_finest_visible_stripes_are_as_strong_as_in_areas(ratio, turned):
    """As in validation images, which are resized by areas: no sharper, no duller."""
    side, size = 240, round(240 / ratio)
    phases = torch.pi * (0.9 * size / side * torch.arange(side) + torch.arange(0, 2, 0.1)[:, None])
    stripes = (0.5 + 0.4 * torch.cos(phases))[:, None, None].repeat(1, 3, side, 1)
    stripes = stripes.transpose(2, 3) if turned else stripes
    slight = affine.scaling(torch.full((20,), 1.01))  # so that samples lie anywhere between pixels
    strength = warp(stripes, slight, size).std()
    assert strength == pytest.approx(float(by_opencv(stripes, size).std()), rel=0.05)


@pytest.mark.parametrize("degrees", [10.0, 45.0, 77.0])
@pytest.mark.parametrize("ratio", [2.0, 2.5])
def test_stripes_finer_than_the_result_turn_grey(ratio, degrees):
    """Otherwise they would be seen as broader stripes."""
    side, size = 240, round(240 / ratio)
    stripes = (0.5 + 0.5 * torch.cos(torch.pi * 0.9 * torch.arange(side))).repeat(1, 3, side, 1)
    maps = affine.rotation(torch.tensor([math.radians(degrees)]))
    strength = warp(stripes, maps, size)[:, :, 20:-20, 20:-20].std()
    assert strength < 0.5 * sampled_plainly(stripes, maps, size)[:, :, 20:-20, 20:-20].std()


def test_an_axis_is_filtered_by_its_own_step():
    """Stripes across the axis that is not reduced stay as they are."""
    stripes = (0.5 + 0.4 * torch.cos(torch.pi * 0.7 * torch.arange(120))).repeat(1, 3, 120, 1)
    reduced = affine.scaling(torch.tensor([[0.5, 1.0]]))
    assert warp(stripes, reduced, 120).std() < 0.5 * stripes.std()
    down = stripes.transpose(2, 3)
    torch.testing.assert_close(warp(down, reduced, 120), down, atol=1e-4, rtol=0)


def test_filters_depend_on_each_image_alone():
    images = torch.rand(3, 3, 60, 60, generator=GENERATOR)
    maps = affine.scaling(torch.tensor([2.0, 0.9, 0.3]))
    together = warp(images, maps, 32)
    for row in range(3):
        assert torch.equal(warp(images[row : row + 1], maps[row : row + 1], 32)[0], together[row])


def test_a_batch_of_none():
    empty = torch.zeros(0, 3, 8, 8)
    assert warp(empty, affine.identity(0), 6).shape == (0, 3, 6, 6)


def test_images_smaller_than_the_result_are_enlarged():
    enlarged = warp(smooth(16), affine.identity(1), 32)
    assert enlarged.shape == (1, 3, 32, 32)
    torch.testing.assert_close(area_resized(enlarged, 16), smooth(16), atol=0.03, rtol=0)
