"""Random changes of dermoscopic images, as the SSD-KD paper trains with.

Source: the released code of Wang et al. 2023 (Medical Image Analysis 84:102693), which draws image
by image with imgaug; here each operation works on a batch and on any device. Every operation
changes each image by its own draw, keeps float32 [B, 3, S, S] in 0…1, and at strength 0 returns
its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "augment_dermoscopy",
    "blur",
    "brighten",
    "dermoscopy_appearance",
    "dermoscopy_geometry",
    "drop_blocks",
    "drop_pixels",
    "mirror",
    "rotate",
    "shift_hue_saturation",
    "sometimes",
    "zoom",
]

Change = Callable[[Tensor, torch.Generator], Tensor]
_BLOCK = 4  # side of a coarse hole: imgaug draws the mask at 25 % of the resolution


def augment_dermoscopy(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """The whole pipeline.

    With probability ¼ zoom to 1…2 on each axis; mirror left-right (½) and top-bottom (⅕); with ¼
    rotate by up to ±120°; with ¼ blur; with ⅒ drop pixels or blocks; with ¼ change brightness, or
    hue and saturation.
    """
    return dermoscopy_appearance(dermoscopy_geometry(pixels, generator), generator)


def dermoscopy_geometry(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """The pipeline's zoom, mirroring and rotation, of images with any number of channels."""
    pixels = sometimes(pixels, 0.25, lambda p, g: zoom(p, 1.0, g), generator)
    pixels = mirror(pixels, 3, 0.5, generator)
    pixels = mirror(pixels, 2, 0.2, generator)
    return sometimes(pixels, 0.25, lambda p, g: rotate(p, 120.0, g), generator)


def dermoscopy_appearance(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """The pipeline's blur, dropped pixels and colour changes, of RGB images."""
    pixels = sometimes(pixels, 0.25, lambda p, g: blur(p, 1.5, g), generator)
    pixels = sometimes(pixels, 0.1, _drop, generator)
    return sometimes(pixels, 0.25, _recolour, generator)


def sometimes(pixels: Tensor, share: float, change: Change, generator: torch.Generator) -> Tensor:
    """`change` applied to each image with probability `share`; the others are left untouched."""
    return _either(pixels, share, change, None, generator)


def _either(
    pixels: Tensor, share: float, first: Change, second: Change | None, generator: torch.Generator
) -> Tensor:
    """The first change for each image with probability `share`, else the second."""
    drawn = torch.rand(len(pixels), generator=generator) < share
    for change, chosen in ((first, drawn), (second, ~drawn)):
        if change is not None and chosen.any():
            index = chosen.nonzero().flatten().to(pixels.device)
            pixels = pixels.index_copy(0, index, change(pixels[index], generator))
    return pixels


def _drop(pixels: Tensor, generator: torch.Generator) -> Tensor:
    return _either(
        pixels, 0.5,
        lambda p, g: drop_pixels(p, 0.05, g), lambda p, g: drop_blocks(p, 0.02, g), generator,
    )  # fmt: skip


def _recolour(pixels: Tensor, generator: torch.Generator) -> Tensor:
    return _either(
        pixels, 0.5,
        lambda p, g: brighten(p, 15 / 255, g), lambda p, g: shift_hue_saturation(p, 10 / 255, g),
        generator,
    )  # fmt: skip


def zoom(pixels: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Enlarge about the centre by a factor in 1…1 + amount, drawn for each axis."""
    if amount == 0.0:
        return pixels
    factors = 1.0 + amount * torch.rand(len(pixels), 2, generator=generator)
    return _warp(pixels, torch.diag_embed(1.0 / factors))


def mirror(pixels: Tensor, axis: int, share: float, generator: torch.Generator) -> Tensor:
    """Mirror each image along an axis with probability `share`."""
    mirrored = torch.rand(len(pixels), 1, 1, 1, generator=generator) < share
    return torch.where(mirrored.to(pixels.device), pixels.flip(axis), pixels)


def rotate(pixels: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    """Rotate about the centre by up to ±degrees, with reflection at the border."""
    if degrees == 0.0:
        return pixels
    angle = _symmetric(len(pixels), 1, generator)[:, 0] * math.radians(degrees)
    cos, sin = angle.cos(), angle.sin()
    return _warp(pixels, torch.stack((cos, -sin, sin, cos), dim=1).reshape(-1, 2, 2))


def blur(pixels: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Gaussian blur of a standard deviation in 0…sigma pixels."""
    if sigma == 0.0:
        return pixels
    sigmas = sigma * torch.rand(len(pixels), 1, generator=generator)
    radius = min(math.ceil(3.0 * sigma), min(pixels.shape[2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / sigmas.clamp(min=1e-3)) ** 2)
    kernels = kernels / kernels.sum(dim=1, keepdim=True)
    blurred = _convolve(_convolve(pixels, kernels, 2), kernels, 3)
    return blurred.clamp(0.0, 1.0)


def drop_pixels(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Blacken a share in 0…share of the pixels."""
    shares = share * torch.rand(len(pixels), 1, 1, 1, generator=generator)
    draw = torch.rand(len(pixels), 1, *pixels.shape[2:], generator=generator)
    return pixels * (draw >= shares).to(pixels)


def drop_blocks(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Blacken a share of the blocks of 4×4 pixels."""
    height, width = (math.ceil(side / _BLOCK) for side in pixels.shape[2:])
    kept = (torch.rand(len(pixels), 1, height, width, generator=generator) >= share).to(pixels)
    kept = kept.repeat_interleave(_BLOCK, 2).repeat_interleave(_BLOCK, 3)
    return pixels * kept[:, :, : pixels.shape[2], : pixels.shape[3]]


def brighten(pixels: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Add up to ±amount; in half of the images each channel has its own draw."""
    shift = amount * _symmetric(len(pixels), 3, generator)
    by_channel = torch.rand(len(pixels), 1, generator=generator) < 0.5
    shift = torch.where(by_channel, shift, shift[:, :1])[:, :, None, None]
    return (pixels + shift.to(pixels.device)).clamp(0.0, 1.0)


def shift_hue_saturation(pixels: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Add up to ±amount to saturation and hue, both in 0…1 (imgaug scales hue to 255)."""
    if amount == 0.0:
        return pixels
    shift = (amount * _symmetric(len(pixels), 2, generator)).to(pixels.device)[:, :, None, None]
    hue, saturation, value = _to_hsv(pixels)
    hue = hue + shift[:, 0]
    return _from_hsv(hue, (saturation + shift[:, 1]).clamp(0.0, 1.0), value)


def _symmetric(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Uniform draws in −1…1."""
    return 2.0 * torch.rand(rows, columns, generator=generator) - 1.0


def _warp(pixels: Tensor, linear: Tensor) -> Tensor:
    """Sample at `linear` [B, 2, 2] times the position about the centre, reflected at the border."""
    theta = torch.cat((linear, torch.zeros(len(linear), 2, 1)), dim=2).to(pixels.device)
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False).clamp(0, 1)


def _convolve(pixels: Tensor, kernels: Tensor, axis: int) -> Tensor:
    """Convolve each image with its kernel [B, length] along one axis, reflected at the border."""
    batch, channels, height, width = pixels.shape
    radius = kernels.shape[1] // 2
    weights = kernels.to(pixels.device).repeat_interleave(channels, 0)[:, None]
    weights = weights[..., None] if axis == 2 else weights[..., None, :]
    padding = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
    stacked = F.pad(pixels.reshape(1, -1, height, width), padding, mode="reflect")
    return F.conv2d(stacked, weights, groups=batch * channels).reshape(pixels.shape)


def _to_hsv(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value [B, S, S], each in 0…1."""
    red, green, blue = pixels.unbind(1)
    value, chroma = pixels.amax(1), pixels.amax(1) - pixels.amin(1)
    safe = chroma.where(chroma > 0, torch.ones_like(chroma))
    sector = torch.where(value == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0)
    sector = torch.where(value == red, (green - blue) / safe, sector)
    saturation = chroma / value.where(value > 0, torch.ones_like(value))
    return (sector / 6.0) % 1.0, saturation, value


def _from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    offsets = torch.tensor((5.0, 3.0, 1.0), device=hue.device).reshape(1, 3, 1, 1)
    position = (offsets + 6.0 * hue[:, None]) % 6.0
    ramp = torch.minimum(position, 4.0 - position).clamp(0.0, 1.0)
    return value[:, None] * (1.0 - saturation[:, None] * ramp)
