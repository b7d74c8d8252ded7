"""A generator that changes real images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ImageChanger"]

_SLOPE = 0.2


class ImageChanger(nn.Module):
    """Maps images [B, 3, S, S] in 0…1, noise [B, Z] and classes [B] to images of the same size.

    x + limit·tanh(r(x, z, y)), kept in 0…1. r works at a quarter of the side, where noise and class
    scale and shift its channels; its last layer begins at 0, and so the whole as the identity. It
    has no batch norm: what it makes of an image depends on no other image.

    Args:
        latent: Z, numbers of noise for an image.
        width: Channels at half the side; at a quarter there are twice as many.
        classes: K.
        limit: Most that a pixel's value changes.
    """

    def __init__(self, latent: int, width: int, classes: int, limit: float) -> None:
        super().__init__()
        self.latent, self.classes, self.limit = latent, classes, limit
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1), nn.LeakyReLU(_SLOPE),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.GroupNorm(1, 2 * width),
        )  # fmt: skip
        self.condition = nn.Linear(latent + classes, 4 * width)
        self.decoder = nn.Sequential(
            nn.LeakyReLU(_SLOPE), nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.LeakyReLU(_SLOPE), nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.LeakyReLU(_SLOPE), nn.Upsample(scale_factor=2),
        )  # fmt: skip
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, images: Tensor, noise: Tensor, labels: Tensor) -> Tensor:
        """Changed images [B, 3, S, S]; `labels` are class indices [B]."""
        hot = F.one_hot(labels, self.classes).to(noise.dtype)
        scale, shift = self.condition(torch.cat((noise, hot), dim=1))[..., None, None].chunk(2, 1)
        maps = self.decoder(self.encoder(images) * (1.0 + scale) + shift)
        rows, columns = images.shape[-2:]
        change = self.last(maps)[..., :rows, :columns]
        changed: Tensor = torch.clamp(images + self.limit * change.tanh(), 0.0, 1.0)
        return changed

    def noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal noise [count, Z] of a generator on the CPU, where the weights are."""
        drawn = torch.randn(count, self.latent, generator=generator)
        return drawn.to(self.condition.weight)
