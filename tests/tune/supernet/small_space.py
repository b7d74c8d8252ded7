"""A space of small architectures, a teacher, and images to search with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from edgekd.recipe import AugmentSection, convert
from edgekd.tune.supernet.choices import ArchitectureChoices
from edgekd.tune.supernet.images import SearchImages

RAW_SMALL: dict[str, Any] = {
    "stem": 4,
    "head": 8,
    "stages": [
        {"widths": [4, 6], "depths": [1], "kernels": [3], "stride": 1, "expansion": 1},
        {"widths": [4, 8], "depths": [1, 2], "kernels": [3, 5], "expansion": 2},
        {"widths": [6, 12], "depths": [1, 2, 3], "kernels": [5, 3], "expansion": 3},
    ],
}
SMALL = convert(RAW_SMALL, ArchitectureChoices, "the test's space")
CLASSES, SIDE = 3, 16


class MeanColour(nn.Module):
    """A teacher that knows colours: its classes are red, green and blue."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return 12.0 * pixels.mean((2, 3))


def coloured(count: int, seed: int, side: int = SIDE) -> tuple[torch.Tensor, np.ndarray]:
    """Noisy images uint8 [count, 3, side, side], each mostly of one colour."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    images = torch.randint(0, 160, (count, 3, side, side), generator=generator)
    images[torch.arange(count), labels] += 90
    return images.to(torch.uint8), labels.numpy()


def search_images() -> SearchImages:
    train, _ = coloured(48, 0)
    held_out, labels = coloured(24, 1)
    augment = AugmentSection()
    return SearchImages(train, train[:32], held_out, labels, augment)
