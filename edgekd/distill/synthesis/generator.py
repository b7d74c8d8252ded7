"""A generator of images from noise, and of images of a class."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log2

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ImageGenerator", "balanced_labels"]

_START = 8  # pixels a side of the first map, about
_SLOPE = 0.2
_FIRST_STD = 0.02


class ImageGenerator(nn.Module):
    """Maps noise [B, Z], and a class if it is conditional, to pixels [B, 3, S, S] in 0…1.

    The first layer is linear; then maps are enlarged twofold and convolved until they have S
    pixels, each time with batch norm and a leaky ReLU. For S = 32 these are the layers of DAFL's
    and FastDFKD's released generator; larger images have more of them.

    Args:
        size: S.
        latent: Z, numbers of noise for an image.
        width: Channels of the last map but one; those before have twice as many.
        classes: K, of a conditional generator, which receives its class one-hot beside the noise;
            0 without conditions.
    """

    def __init__(self, size: int, latent: int, width: int, classes: int = 0) -> None:
        super().__init__()
        self.size, self.latent, self.classes = size, latent, classes
        doublings = max(2, round(log2(size / _START)))
        start = ceil(size / 2**doublings)
        channels = [*[2 * width] * doublings, width]
        self.first = nn.Linear(latent + classes, channels[0] * start**2)
        self.layers = nn.Sequential(
            nn.Unflatten(1, (channels[0], start, start)),
            nn.BatchNorm2d(channels[0]),
            *(layer for ends in pairwise(channels) for layer in _doubling(*ends)),
            nn.Conv2d(width, 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images [B, 3, S, S] from noise [B, Z]; `labels` are class indices [B]."""
        if labels is not None:
            noise = torch.cat((noise, F.one_hot(labels, self.classes).to(noise.dtype)), dim=1)
        images: Tensor = self.layers(self.first(noise))
        return images[..., : self.size, : self.size]

    def noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal noise [count, Z] of a generator on the CPU, where the weights are."""
        drawn = torch.randn(count, self.latent, generator=generator)
        return drawn.to(self.first.weight)

    @torch.no_grad()
    def reset(self, generator: torch.Generator) -> None:
        """Draw the weights of all layers again: those of a new generator."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
            device = self.first.weight.device
            self.cpu()  # drawn there, equal on every device
            for module in self.modules():
                if isinstance(module, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
                    module.reset_parameters()
            self.to(device)

    @torch.no_grad()
    def reset_first(self, generator: torch.Generator) -> None:
        """Draw the weights of the first layer from N(0, 0.02²), and set its biases to 0."""
        weight = self.first.weight
        weight.copy_(torch.empty(weight.shape).normal_(0.0, _FIRST_STD, generator=generator))
        self.first.bias.zero_()


def _doubling(channels: int, after: int) -> tuple[nn.Module, ...]:
    return (
        nn.Upsample(scale_factor=2),
        nn.Conv2d(channels, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.LeakyReLU(_SLOPE),
    )


def balanced_labels(count: int, classes: int, generator: torch.Generator) -> Tensor:
    """Class indices int64 [count] in random order, each class as often as any other.

    The papers draw every label by itself. Balanced batches have the same expectation, and none that
    shows a single class is held against statistics of all.

    Args:
        count: Number of labels.
        classes: K; of a count that K does not divide, the rest are different classes.
        generator: On the CPU.
    """
    whole = torch.arange(classes).repeat(count // classes)
    rest = torch.randperm(classes, generator=generator)[: count % classes]
    labels = torch.cat((whole, rest))
    return labels[torch.randperm(count, generator=generator)]
