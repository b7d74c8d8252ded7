from __future__ import annotations

import pytest
import torch
from torch import nn

from edgekd.models.own_size import OwnSize, resized


def test_larger_images_are_averaged_and_smaller_ones_interpolated() -> None:
    images = torch.rand(2, 3, 8, 8)
    assert resized(images, 8) is images
    assert resized(images, 4).equal(nn.functional.avg_pool2d(images, 2)) or torch.allclose(
        resized(images, 4), nn.functional.avg_pool2d(images, 2)
    )
    larger = resized(images, 16)
    assert larger.shape == (2, 3, 16, 16)
    torch.testing.assert_close(larger.mean((2, 3)), images.mean((2, 3)), atol=0.02, rtol=0)


@pytest.mark.parametrize("side", [5, 8, 13])
def test_it_does_not_matter_whether_images_are_normalised_before(side: int) -> None:
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(
        resized((images - 0.4) / 0.2, side), (resized(images, side) - 0.4) / 0.2
    )


def test_pixels_are_not_rounded_by_autocast() -> None:
    images = torch.rand(1, 3, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for side in (16, 48):
            assert resized(images, side).dtype == torch.float32
            with torch.autocast("cpu", enabled=False):
                expected = resized(images, side)
            assert resized(images, side).equal(expected)


def test_a_network_sees_its_own_size() -> None:
    network = OwnSize(nn.Identity(), 6)
    for side in (4, 6, 9):
        assert network(torch.rand(1, 3, side, side)).shape == (1, 3, 6, 6)
