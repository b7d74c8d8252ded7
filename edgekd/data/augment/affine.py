"""Affine maps of positions, one for each image: how mirroring, turning, zoom and crop are drawn.

A map [N, 2, 3] takes a position in the result to the one in the image whose pixel is shown there.
Positions are (x, y), from −1 at the left and upper edge to 1 at the right and lower edge, whatever
the number of pixels. `compose` makes one map of several, so that an image is sampled only once.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "compose",
    "cropping",
    "identity",
    "is_exact",
    "mirroring",
    "quarter_turning",
    "rotation",
    "scaling",
    "shearing",
    "translation",
]

_TURNS = torch.tensor(
    [[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]],
    dtype=torch.float32,
)
"""By 0°, 90°, 180° and 270° counter-clockwise, as `torch.rot90` turns images."""


def identity(count: int) -> Tensor:
    """Maps that leave images as they are."""
    return _linear(torch.eye(2).repeat(count, 1, 1))


def mirroring(across: Tensor, down: Tensor) -> Tensor:
    """Left-right where `across` [N] is true, top-bottom where `down` [N] is."""
    signs = torch.stack((across, down), dim=1)
    return _linear(torch.diag_embed(torch.where(signs, -1.0, 1.0)))


def quarter_turning(turns: Tensor) -> Tensor:
    """By as many quarter turns [N] counter-clockwise, exactly."""
    return _linear(_TURNS[turns % 4])


def rotation(radians: Tensor) -> Tensor:
    """Counter-clockwise about the centre by angles [N]."""
    cos, sin = radians.cos(), radians.sin()
    return _linear(torch.stack((cos, -sin, sin, cos), dim=1).reshape(-1, 2, 2))


def scaling(factors: Tensor) -> Tensor:
    """Enlargement about the centre by factors [N] or, along x and y, [N, 2]."""
    both = factors if factors.ndim == 2 else factors[:, None].expand(-1, 2)
    return _linear(torch.diag_embed(1.0 / both))


def shearing(amounts: Tensor) -> Tensor:
    """Slant along x and along y by amounts [N, 2]: x moves by its amount times y, and y by x."""
    slanted = torch.eye(2).repeat(len(amounts), 1, 1)
    slanted[:, 0, 1], slanted[:, 1, 0] = amounts.unbind(1)
    return _linear(slanted)


def translation(shares: Tensor) -> Tensor:
    """Movement to the right and down by shares [N, 2] of the side."""
    moved = identity(len(shares))
    moved[:, :, 2] = -2.0 * shares
    return moved


def cropping(sides: Tensor, places: Tensor) -> Tensor:
    """The part of the image that fills the result.

    Args:
        sides: Width and height of the part, in 0…1 of the image's, [N, 2].
        places: Where it lies, from −1 (left, top) to 1 (right, bottom), [N, 2].
    """
    return torch.cat((torch.diag_embed(sides), (places * (1.0 - sides))[:, :, None]), dim=2)


def compose(*maps: Tensor) -> Tensor:
    """One map for several, the first of which is applied to the image first."""
    composed = maps[0]
    for each in maps[1:]:
        linear = composed[:, :, :2] @ each[:, :, :2]
        shift = composed[:, :, :2] @ each[:, :, 2:] + composed[:, :, 2:]
        composed = torch.cat((linear, shift), dim=2)
    return composed


def is_exact(maps: Tensor) -> Tensor:
    """Where [N] a map only mirrors and turns by quarters: no pixel lies between others."""
    linear, shift = maps[:, :, :2], maps[:, :, 2]
    whole = ((linear == 0) | (linear.abs() == 1)).all(dim=(1, 2))
    permutes = (linear.abs().sum(dim=2) == 1).all(dim=1)
    return whole & permutes & (shift == 0).all(dim=1)


def _linear(matrices: Tensor) -> Tensor:
    """Maps that keep the centre, from matrices [N, 2, 2]."""
    return torch.cat((matrices, torch.zeros(len(matrices), 2, 1)), dim=2)
