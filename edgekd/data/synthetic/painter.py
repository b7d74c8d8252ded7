"""Paints the image of a class and a seed."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edgekd.data.synthetic.catalogue import class_index, draw_traits
from edgekd.data.synthetic.fields import Field
from edgekd.data.synthetic.lesion import Lesion, paint_lesion
from edgekd.data.synthetic.nuisance import add_clutter, capture, light
from edgekd.data.synthetic.skin import absorb, draw_tone, paint_skin
from edgekd.errors import InputError

__all__ = ["MINIMUM_SIZE", "paint"]

MINIMUM_SIZE = 32
"""Smallest side in pixels at which the structures can be drawn."""

_LESION, _VIEW = 0, 1


def paint(label: str, seed: int, size: int = 224, *, view: int = 0) -> npt.NDArray[np.uint8]:
    """Paint one dermoscopic image of a lesion.

    The same arguments give the same image; on another machine the draws are the same, and
    another build of numpy or OpenCV may change pixels by one grey level at most.

    Args:
        label: One of `CLASSES`.
        seed: Which lesion of that class, 0 or more; it fixes the lesion and its patient's skin.
        size: Pixels a side, `MINIMUM_SIZE` or more.
        view: Which photograph of the lesion, 0 or more: other position, turn, light and clutter.

    Returns:
        RGB uint8 [size, size, 3].

    Raises:
        InputError: An unknown class, a negative seed or view, or too small a size.
    """
    index = class_index(label)
    _check(seed, size, view)
    lesion_rng = np.random.default_rng(np.random.SeedSequence([index, seed, _LESION]))
    view_rng = np.random.default_rng(np.random.SeedSequence([index, seed, _VIEW, view]))
    tone = draw_tone(lesion_rng)
    lesion = paint_lesion(draw_traits(label, lesion_rng), lesion_rng, size)
    image = _photograph(lesion, tone, view_rng, size)
    add_clutter(image, view_rng)
    return capture(image, view_rng)


def _check(seed: int, size: int, view: int) -> None:
    if seed < 0 or view < 0:
        raise InputError(f"seed {seed} and view {view} must not be negative", "use 0 or more")
    if size < MINIMUM_SIZE:
        raise InputError(f"{size} px is too small to paint", f"use {MINIMUM_SIZE} px or more")


def _photograph(lesion: Lesion, tone: Field, rng: np.random.Generator, size: int) -> Field:
    """The lit lesion on its skin, [size, size, 3] in 0..1, as this view places it."""
    move = _draw_move(rng, size)
    density = _warp(lesion.density, move)
    cover = _warp(lesion.cover, move)
    image = absorb(paint_skin(rng, size, tone), density)
    image = image * (1 - cover[..., 3:]) + cover[..., :3]
    return np.asarray(image * light(rng, size), dtype=np.float32)


def _draw_move(rng: np.random.Generator, size: int) -> npt.NDArray[np.float64]:
    """An affine map [2, 3] in pixels: turn, mirror, zoom and shift about the centre."""
    turn, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 1.3)
    mirror = rng.choice([-1.0, 1.0])
    linear = zoom * np.array(
        [[np.cos(turn), -mirror * np.sin(turn)], [np.sin(turn), mirror * np.cos(turn)]]
    )
    centre = np.full(2, (size - 1) / 2)
    shift = rng.normal(0, 0.06 * size, 2)
    return np.column_stack([linear, centre - linear @ centre + shift])


def _warp(layer: Field, move: npt.NDArray[np.float64]) -> Field:
    size = layer.shape[0]
    return np.asarray(cv2.warpAffine(layer, move, (size, size)), dtype=np.float32)
