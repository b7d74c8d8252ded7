"""The policy `trivial`: one change for each image, of uniformly drawn strength.

Source: Müller & Hutter 2021, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation",
ICCV. Its operations are not all fit for dermoscopy, where colour and the shape of the border decide
between naevus and melanoma: solarise, posterise, equalise and inversion are left out, changes of
colour are small, and a lesion is slanted by at most a tenth. Rotation is by any angle, since a skin
lesion has no upper side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from edgekd.data.augment import affine
from edgekd.data.augment.chance import around
from edgekd.data.augment.colour import LARGEST_BLUR
from edgekd.data.augment.draw import Draw
from edgekd.data.augment.light import draw_placement
from edgekd.recipe import AugmentSection

__all__ = ["OPERATIONS", "draw_trivial"]

_Change = Callable[[Draw, Tensor], Draw]
"""Draws that lack a change, with the change at strengths [N] in −1…1."""


def draw_trivial(section: AugmentSection, count: int, generator: torch.Generator) -> Draw:
    """One of `OPERATIONS` for each image, beside the crop, flips, turns and erasing of the keys."""
    draw = draw_placement(section, count, generator)
    operations = torch.randint(len(OPERATIONS), (count,), generator=generator)
    strengths = around(0.0, 1.0, count, generator=generator)
    for number, change in enumerate(OPERATIONS.values()):
        # At strength 0 an operation changes nothing.
        draw = change(draw, strengths * (operations == number))
    return draw


def _moved(maps: Callable[[Tensor], Tensor]) -> _Change:
    """A change of geometry, after what is drawn already."""
    return lambda draw, strengths: replace(
        draw, affine=affine.compose(draw.affine, maps(strengths))
    )


def _along(axis: int, strengths: Tensor) -> Tensor:
    """Strengths [N] along x (0) or y (1), [N, 2]."""
    return torch.nn.functional.one_hot(torch.tensor(axis), 2) * strengths[:, None]


def _factor(position: int, amount: float) -> _Change:
    """A factor in 1 ± amount of brightness (0), contrast (1) or saturation (2)."""

    def change(draw: Draw, strengths: Tensor) -> Draw:
        factors = draw.factors.clone()
        factors[:, position] *= 1.0 + amount * strengths
        return replace(draw, factors=factors)

    return change


OPERATIONS: dict[str, _Change] = {
    "identity": lambda draw, _: draw,
    "rotate": _moved(lambda s: affine.rotation(math.pi * s)),
    "zoom": _moved(lambda s: affine.scaling(1.25**s)),
    "shear_x": _moved(lambda s: affine.shearing(0.1 * _along(0, s))),
    "shear_y": _moved(lambda s: affine.shearing(0.1 * _along(1, s))),
    "translate_x": _moved(lambda s: affine.translation(0.2 * _along(0, s))),
    "translate_y": _moved(lambda s: affine.translation(0.2 * _along(1, s))),
    "brightness": _factor(0, 0.2),
    "contrast": _factor(1, 0.2),
    "saturation": _factor(2, 0.15),
    "tint": lambda draw, s: replace(draw, hue_saturation=draw.hue_saturation + 0.02 * _along(0, s)),
    "blur": lambda draw, s: replace(draw, blur=draw.blur + LARGEST_BLUR * s.abs()),
}
"""Changes at full strength: by ±180°; 0.8 or 1.25 times as large; slanted by 0.1; moved by a fifth
of the side; brightness and contrast ± 20 %, saturation ± 15 %, hue ± 7°; blurred by 1.5 pixels.
"""
