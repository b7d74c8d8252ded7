"""The policy `light`: what the recipe's keys say."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from edgekd.data.augment import affine
from edgekd.data.augment.chance import around, crop_sides, erased_rectangles, happens, seeds
from edgekd.data.augment.draw import Draw
from edgekd.recipe import AugmentSection

__all__ = ["draw_light", "draw_placement"]


def draw_light(section: AugmentSection, count: int, generator: torch.Generator) -> Draw:
    """Crop, zoom, rotation, mirroring, quarter turns, colours and erasing as the keys say.

    Only keys that are on draw random numbers.
    """
    draw = draw_placement(section, count, generator)
    maps = [draw.affine]
    if section.zoom:
        maps.append(affine.scaling(around(1.0, section.zoom, count, generator=generator)))
    if section.rotate:
        angles = around(0.0, math.radians(section.rotate), count, generator=generator)
        maps.append(affine.rotation(angles))
    draw = replace(draw, affine=affine.compose(*maps))
    if section.colour:
        factors = around(1.0, section.colour, count, 3, generator=generator)
        draw = replace(draw, factors=factors)
    return draw


def draw_placement(section: AugmentSection, count: int, generator: torch.Generator) -> Draw:
    """Crop, mirroring, quarter turns and erasing, which every policy with keys shares."""
    draw = Draw.unchanged(count)
    draw = replace(draw, affine=_placement(section, count, generator))
    if section.erase:
        rectangles = erased_rectangles(section.erase, count, generator)
        draw = replace(draw, erased=rectangles, seeds=seeds(count, generator))
    return draw


def _placement(section: AugmentSection, count: int, generator: torch.Generator) -> Tensor:
    maps = [affine.identity(count)]
    if section.crop < 1.0:
        sides = crop_sides(section.crop, count, generator)
        maps.append(affine.cropping(sides, around(0.0, 1.0, count, 2, generator=generator)))
    if section.flip:
        across, down = happens(0.5, 2, count, generator=generator)
        maps.append(affine.mirroring(across, down))
    if section.quarter_turns:
        turns = torch.randint(4, (count,), generator=generator)
        maps.append(affine.quarter_turning(turns))
    return affine.compose(*maps)
