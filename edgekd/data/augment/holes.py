"""Holes in images: dropped pixels, dropped blocks, erased rectangles.

What is drawn for each pixel follows from the image's seed, on the CPU: every device gives the same.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["BLOCK", "drop_blocks", "drop_pixels", "erase"]

BLOCK = 4
"""Side of a block in pixels: imgaug draws the mask of coarse dropout at 25 % of the resolution."""


def drop_pixels(pixels: Tensor, shares: Tensor, seeds: Tensor) -> Tensor:
    """Images [B, C, S, S] with a share [B] of their pixels black."""
    return pixels * _whole(shares, seeds, *pixels.shape[2:]).to(pixels)


def drop_blocks(pixels: Tensor, shares: Tensor, seeds: Tensor) -> Tensor:
    """Images [B, C, S, S] with a share [B] of their blocks of 4×4 pixels black."""
    height, width = pixels.shape[2:]
    whole = _whole(shares, seeds, math.ceil(height / BLOCK), math.ceil(width / BLOCK)).to(pixels)
    whole = whole.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    return pixels * whole[:, :, :height, :width]


def _whole(shares: Tensor, seeds: Tensor, height: int, width: int) -> Tensor:
    """Which pixels [B, 1, height, width] are not dropped."""
    drawn = [torch.rand(1, height, width, generator=_generator(seed)) for seed in seeds]
    return torch.stack(drawn) >= shares[:, None, None, None]


def erase(pixels: Tensor, rectangles: Tensor, seeds: Tensor) -> Tensor:
    """Images [B, C, S, S] with noise, uniform in 0…1, in place of a rectangle.

    Args:
        pixels: The images, which are left as they are.
        rectangles: Left, top, right, bottom in 0…1 of the side, [B, 4].
        seeds: Of the noise, [B].

    Source: Zhong, Zheng, Kang, Li, Yang 2020, "Random Erasing Data Augmentation", AAAI (RE-R).
    """
    erased = pixels.clone()
    corners = (rectangles * pixels.shape[-1]).round().long().tolist()
    for row, (left, top, right, bottom) in enumerate(corners):
        shape = (pixels.shape[1], bottom - top, right - left)
        noise = torch.rand(shape, generator=_generator(seeds[row]))
        erased[row, :, top:bottom, left:right] = noise.to(pixels.device, non_blocking=True)
    return erased


def _generator(seed: Tensor) -> torch.Generator:
    return torch.Generator().manual_seed(int(seed))
