"""What the policies draw: numbers in a range, events of a probability, parts of an image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["around", "between", "crop_sides", "erased_rectangles", "happens", "seeds"]

_ASPECT = (3 / 4, 4 / 3)
_ERASED_SHARE = (0.02, 0.4)
_ERASED_ASPECT = (0.3, 1 / 0.3)


def between(low: float, high: float, *shape: int, generator: torch.Generator) -> Tensor:
    """Uniform draws in low…high."""
    return low + (high - low) * torch.rand(*shape, generator=generator)


def around(centre: float, amount: float, *shape: int, generator: torch.Generator) -> Tensor:
    """Uniform draws in centre ± amount."""
    return between(centre - amount, centre + amount, *shape, generator=generator)


def happens(probability: float, *shape: int, generator: torch.Generator) -> Tensor:
    """True with a probability."""
    return torch.rand(*shape, generator=generator) < probability


def seeds(count: int, generator: torch.Generator) -> Tensor:
    """A seed for each image, int64 [count]."""
    return torch.randint(2**31, (count,), generator=generator)


def crop_sides(least: float, count: int, generator: torch.Generator) -> Tensor:
    """Width and height of parts of an image, in 0…1 of its side, [count, 2].

    Their area is uniform in least…1, and the logarithm of their aspect ratio is uniform between
    those of 3/4 and 4/3, as far as a part of that area fits into the square.

    Source: Szegedy et al. 2015, "Going Deeper with Convolutions", section 6.
    """
    area = between(least, 1.0, count, generator=generator)
    low, high = area.clamp(min=_ASPECT[0]).log(), (1.0 / area).clamp(max=_ASPECT[1]).log()
    aspect = (low + (high - low) * torch.rand(count, generator=generator)).exp()
    return torch.stack(((area * aspect).sqrt(), (area / aspect).sqrt()), dim=1).clamp(max=1.0)


def erased_rectangles(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """Left, top, right and bottom of rectangles in 0…1 of the side, [count, 4]; or zeros.

    A rectangle has 2 to 40 % of the area and an aspect ratio of 0.3 to 3.3, as far as it fits.

    Source: Zhong, Zheng, Kang, Li, Yang 2020, "Random Erasing Data Augmentation", AAAI.
    """
    happening = happens(probability, count, 1, generator=generator)
    area = between(*_ERASED_SHARE, count, generator=generator)
    low, high = (math.log(aspect) for aspect in _ERASED_ASPECT)
    aspect = between(low, high, count, generator=generator).exp()
    sides = torch.stack(((area * aspect).sqrt(), (area / aspect).sqrt()), dim=1).clamp(max=1.0)
    corner = torch.rand(count, 2, generator=generator) * (1.0 - sides)
    return torch.cat((corner, corner + sides), dim=1) * happening
