"""Images after affine maps: permuted where a map is exact, sampled once where it is not."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.data.augment import affine

__all__ = ["area_resized", "warp"]

_ENOUGH = 2
"""Times the result's side that images keep at least before they are sampled."""


def warp(pixels: Tensor, maps: Tensor, size: int) -> Tensor:
    """Images after affine maps, resized.

    Maps that only mirror and turn by quarters move pixels without interpolation; images with more
    pixels than the result are then averaged over areas, as `cv2.INTER_AREA` does. Other maps are
    sampled bilinearly, mirrored at the border, after a filter that widens the bilinear kernel to
    the area of the image that a pixel of the result covers.

    Args:
        pixels: float32 [B, C, M, M], with any number of channels.
        maps: float32 [B, 2, 3] on the CPU, see `edgekd.data.augment.affine`.
        size: Side of the result in pixels.

    Returns:
        float32 [B, C, size, size].
    """
    exact = affine.is_exact(maps) & (pixels.shape[-1] >= size)
    if exact.all():
        return _permuted(area_resized(pixels, size), maps)
    if not exact.any():
        return _sampled(pixels, maps, size)
    result = pixels.new_empty(*pixels.shape[:2], size, size)
    for chosen, change in ((exact, _exactly), (~exact, _sampled)):
        rows = chosen.nonzero().flatten()
        here = rows.to(pixels.device)
        result.index_copy_(0, here, change(pixels[here], maps[rows], size))
    return result


def area_resized(pixels: Tensor, size: int) -> Tensor:
    """Images [B, C, M, M], M ≥ size, averaged over areas of (M / size)² pixels."""
    if pixels.shape[-1] == size:
        return pixels
    weights = _area_weights(pixels.shape[-1], size).to(pixels.device)
    return weights @ pixels.contiguous() @ weights.T


def _area_weights(side: int, size: int) -> Tensor:
    """Share of each of `side` pixels in each of `size` ones, [size, side]; rows sum to 1."""
    edges = torch.arange(size + 1, dtype=torch.float64) * (side / size)
    pixels = torch.arange(side, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (covered.clamp(min=0.0) * (size / side)).float()


def _exactly(pixels: Tensor, maps: Tensor, size: int) -> Tensor:
    return _permuted(area_resized(pixels, size), maps)


def _permuted(pixels: Tensor, maps: Tensor) -> Tensor:
    """Images mirrored and turned by quarters; those with the same change move together."""
    linear = maps[:, :, :2]
    mirrored = (linear.sum(dim=2) < 0).long()
    turned = (linear[:, 0, 0] == 0).long()
    changes = 4 * turned + 2 * mirrored[:, 1] + mirrored[:, 0]
    if not changes.any():
        return pixels
    result = torch.empty_like(pixels)
    for change in sorted(set(changes.tolist())):
        rows = (changes == change).nonzero().flatten().to(pixels.device)
        axes = [axis for axis, bit in ((3, 1), (2, 2)) if change & bit]
        moved = pixels[rows].flip(axes) if axes else pixels[rows]
        result.index_copy_(0, rows, moved.transpose(2, 3) if change & 4 else moved)
    return result


def _sampled(pixels: Tensor, maps: Tensor, size: int) -> Tensor:
    pixels = _reduced(pixels, _ENOUGH * size)
    steps = maps[:, :, :2].square().sum(dim=2).sqrt() * (pixels.shape[-1] / size)
    pixels = _smoothed(pixels, steps)
    grid = _positions(maps.to(pixels.device), size)
    return F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)


def _positions(maps: Tensor, size: int) -> Tensor:
    """Where the pixels of the results are taken from, [B, size, size, 2].

    As `F.affine_grid`, but by sums: its products of matrices with three columns are slow.
    """
    centres = (2.0 * torch.arange(size, device=maps.device) + 1.0) / size - 1.0
    x, y, shift = maps[:, None, None].unbind(4)
    return centres[:, None] * x + (centres[:, None, None] * y + shift)


def _reduced(pixels: Tensor, least: int) -> Tensor:
    """Images with whole blocks of pixels averaged, as far as their side stays at the least."""
    block = pixels.shape[-1] // least
    return area_resized(pixels, pixels.shape[-1] // block) if block > 1 else pixels


def _smoothed(pixels: Tensor, steps: Tensor) -> Tensor:
    """Images filtered for sampling every so many of their pixels.

    Sampled bilinearly, a pixel of the result shows what lies within one pixel of the image. With a
    step r of several it shall show the mean of r pixels, or detail finer than the result's pixels
    comes back as a coarse pattern. Both kernels have the same response at the result's highest
    frequency, 1/2r, after a filter of three taps with the weights a, 1 − 2a, a whose response there
    is sinc(1/2) / sinc(1/2r); several filters one after another where a would exceed 1/3.

    Args:
        pixels: [B, C, M, M].
        steps: r along x and y, in pixels of the image, [B, 2]; at r ≤ 1 an image stays as it is.
    """
    steps = steps.double().clamp(min=1.0)
    response = torch.sinc(torch.tensor(0.5, dtype=torch.float64)) / torch.sinc(0.5 / steps)
    height = 2.0 * (1.0 - (math.pi / steps).cos())  # of the response's dip for a = 1
    lowest = (1.0 - height / 3.0).clamp(min=1e-3)
    passes = (response.log() / lowest.log() - 1e-9).ceil().clamp(min=1.0)
    weights = (1.0 - response ** (1.0 / passes)) / height
    for number in range(int(passes.amax())):
        each = weights * (number < passes)
        if each.any():
            pixels = _filtered(pixels, each.float())
    return pixels


def _filtered(pixels: Tensor, weights: Tensor) -> Tensor:
    """One filter along both axes by the weights of the neighbours along x and y, [B, 2]."""
    weights = weights.to(pixels.device)
    both = torch.stack((weights, 1.0 - 2.0 * weights, weights), dim=2)
    kernels = both[:, 1, :, None] * both[:, 0, None, :]
    batch, channels, height, width = pixels.shape
    kernels = kernels.repeat_interleave(channels, 0)[:, None]
    padded = F.pad(pixels.reshape(1, -1, height, width), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernels, groups=batch * channels).reshape(pixels.shape)
