"""The policy `dermoscopy`: what the SSD-KD paper trains with.

Source: the released code of Wang et al. 2023 (Medical Image Analysis 84:102693), which draws image
by image with imgaug.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgekd.data.augment import affine
from edgekd.data.augment.chance import around, between, happens, seeds
from edgekd.data.augment.colour import LARGEST_BLUR
from edgekd.data.augment.draw import Draw

__all__ = ["draw_dermoscopy"]


def draw_dermoscopy(count: int, generator: torch.Generator) -> Draw:
    """The whole pipeline.

    With probability ¼ zoom to 1…2 on each axis; mirror left-right (½) and top-bottom (⅕); with ¼
    rotate by up to ±120°; with ¼ blur by 0…1.5 pixels; with ⅒ drop up to 5 % of the pixels or 2 %
    of the blocks; with ¼ change brightness, or hue and saturation.
    """
    maps = _geometry(count, generator)
    sigmas = LARGEST_BLUR * torch.rand(count, generator=generator)
    blurred = happens(0.25, count, generator=generator)
    pixels, blocks = _holes(count, generator)
    shift, hue_saturation = _colours(count, generator)
    return Draw(
        affine=maps,
        blur=sigmas * blurred,
        dropped_pixels=pixels,
        dropped_blocks=blocks,
        factors=torch.ones(count, 3),
        shift=shift,
        hue_saturation=hue_saturation,
        erased=torch.zeros(count, 4),
        seeds=seeds(count, generator),
    )


def _geometry(count: int, generator: torch.Generator) -> Tensor:
    zooms = between(0.0, 1.0, count, 2, generator=generator)
    zoomed = happens(0.25, count, 1, generator=generator)
    across = happens(0.5, count, generator=generator)
    down = happens(0.2, count, generator=generator)
    angles = around(0.0, math.radians(120.0), count, generator=generator)
    rotated = happens(0.25, count, generator=generator)
    return affine.compose(
        affine.scaling(1.0 + zooms * zoomed),
        affine.mirroring(across, down),
        affine.rotation(angles * rotated),
    )


def _holes(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shares of dropped pixels and of dropped blocks; an image has only one of them."""
    dropped = happens(0.1, count, generator=generator)
    single = happens(0.5, count, generator=generator)
    shares = between(0.0, 0.05, count, generator=generator)
    return shares * (dropped & single), 0.02 * (dropped & ~single)


def _colours(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shifts of brightness, in half of the images by channel; and of hue and saturation.

    imgaug scales hue to 255, as it does saturation.
    """
    recoloured = happens(0.25, count, 1, generator=generator)
    bright = happens(0.5, count, 1, generator=generator)
    by_channel = happens(0.5, count, 1, generator=generator)
    shift = around(0.0, 15 / 255, count, 3, generator=generator)
    shift = torch.where(by_channel, shift, shift[:, :1])
    hue_saturation = around(0.0, 10 / 255, count, 2, generator=generator)
    return shift * (recoloured & bright), hue_saturation * (recoloured & ~bright)
