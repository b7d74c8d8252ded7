"""Changes of colour and sharpness, each image by parameters of its own.

Images are float32 [B, 3, S, S] in 0…1; parameters lie on the CPU, one row for each image.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["LARGEST_BLUR", "blur", "from_hsv", "recolour", "shift_hue_saturation", "to_hsv"]

LARGEST_BLUR = 1.5
"""Largest standard deviation of `blur` in pixels; it sets the length of every kernel."""
_LUMA = torch.tensor([0.299, 0.587, 0.114])  # of ITU-R BT.601


def recolour(pixels: Tensor, factors: Tensor, shift: Tensor) -> Tensor:
    """Brightness, contrast about the image's mean, saturation, and an added shift; in one pass.

    Args:
        pixels: The images.
        factors: Of brightness, contrast and saturation, [B, 3]; 1 changes nothing.
        shift: Added to red, green and blue, [B, 3].
    """
    brightness, contrast, saturation = factors.to(pixels.device).unbind(1)
    grey = torch.diag_embed(saturation[:, None].expand(-1, 3))
    grey = grey + (1.0 - saturation)[:, None, None] * _LUMA.to(pixels.device)
    matrix = (brightness * contrast)[:, None, None] * grey
    mean = brightness * pixels.mean(dim=(1, 2, 3))
    offset = (mean * (1.0 - contrast))[:, None] + shift.to(pixels.device)
    changed = torch.baddbmm(offset[:, :, None], matrix, pixels.flatten(2))
    return changed.clamp_(0.0, 1.0).reshape(pixels.shape)


def shift_hue_saturation(pixels: Tensor, shift: Tensor) -> Tensor:
    """Hue and saturation, both in 0…1, with shifts [B, 2] added; hue goes round."""
    shift = shift.to(pixels.device)[:, :, None, None]
    hue, saturation, value = to_hsv(pixels)
    return from_hsv(hue + shift[:, 0], (saturation + shift[:, 1]).clamp(0.0, 1.0), value)


def to_hsv(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value [B, S, S], each in 0…1."""
    red, green, blue = pixels.unbind(1)
    value = pixels.amax(1)
    chroma = value - pixels.amin(1)
    safe = chroma.where(chroma > 0, torch.ones_like(chroma))
    sector = torch.where(value == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0)
    sector = torch.where(value == red, (green - blue) / safe, sector)
    saturation = chroma / value.where(value > 0, torch.ones_like(value))
    return (sector / 6.0) % 1.0, saturation, value


def from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Images [B, 3, S, S] of hue, saturation and value [B, S, S]."""
    offsets = torch.tensor((5.0, 3.0, 1.0), device=hue.device).reshape(1, 3, 1, 1)
    position = (offsets + 6.0 * hue[:, None]) % 6.0
    ramp = torch.minimum(position, 4.0 - position).clamp(0.0, 1.0)
    return value[:, None] * (1.0 - saturation[:, None] * ramp)


def blur(pixels: Tensor, sigmas: Tensor) -> Tensor:
    """Gaussian blur by standard deviations [B] of 0…`LARGEST_BLUR`, mirrored at the border."""
    radius = min(math.ceil(3.0 * LARGEST_BLUR), min(pixels.shape[2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / sigmas[:, None].clamp(min=1e-3)) ** 2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).to(pixels.device)
    return _convolved(_convolved(pixels, kernels, 2), kernels, 3).clamp_(0.0, 1.0)


def _convolved(pixels: Tensor, kernels: Tensor, axis: int) -> Tensor:
    """Each image convolved with its kernel [B, length] along one axis."""
    batch, channels, height, width = pixels.shape
    radius = kernels.shape[1] // 2
    weights = kernels.repeat_interleave(channels, 0)[:, None]
    weights = weights[..., None] if axis == 2 else weights[..., None, :]
    padding = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
    stacked = F.pad(pixels.reshape(1, -1, height, width), padding, mode="reflect")
    return F.conv2d(stacked, weights, groups=batch * channels).reshape(pixels.shape)
