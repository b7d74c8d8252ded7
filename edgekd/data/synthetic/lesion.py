"""One lesion in its own frame: where it is, what absorbs light in it, what lies on top of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekd.data.synthetic import structures
from edgekd.data.synthetic.catalogue import Traits
from edgekd.data.synthetic.fields import Field, grid, ramp, smooth_noise
from edgekd.data.synthetic.skin import BLOOD, DEEP_MELANIN, MELANIN

__all__ = ["Lesion", "paint_lesion"]

_ANGLES = 512
_ABSENT = 0.05  # below this a structure is not visible: do not spend time on it

_WHITE = (0.90, 0.84, 0.80)
_KERATIN = (0.92, 0.86, 0.70)
_VEIL = (0.45, 0.50, 0.62)
_PINK_WHITE = (0.90, 0.76, 0.72)
_CRUST = (0.62, 0.30, 0.16)


@dataclass(frozen=True)
class Lesion:
    """A lesion as layers over the skin.

    Attributes:
        density: Optical density [n, n, 3] that it adds to the skin.
        cover: What lies on top, [n, n, 4]: colour in 0..1 already times its opacity, and opacity.
    """

    density: Field
    cover: Field


class _Layers:
    """The layers while they are being painted: pigment adds up, covers hide what is below."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.melanin = np.zeros((size, size), dtype=np.float32)
        self.deep = np.zeros((size, size), dtype=np.float32)
        self.blood = np.zeros((size, size), dtype=np.float32)
        self.cover = np.zeros((size, size, 4), dtype=np.float32)

    def hide(self, alpha: Field, colour: tuple[float, float, float]) -> None:
        opacity = alpha[..., None]
        self.cover *= 1 - opacity
        self.cover += opacity * np.array([*colour, 1.0], dtype=np.float32)

    def finish(self, mask: Field) -> Lesion:
        inside = mask[..., None]
        pigment = np.stack([self.melanin, self.deep, self.blood], axis=-1)
        density = np.maximum(pigment, 0) @ np.stack([MELANIN, DEEP_MELANIN, BLOOD])
        return Lesion(density * inside, self.cover * inside)


def paint_lesion(traits: Traits, rng: np.random.Generator, size: int) -> Lesion:
    """Paint a lesion that shows `traits` on a frame of `size` pixels.

    Args:
        traits: The traits that it shows.
        rng: Source of everything that the traits leave open.
        size: Pixels of the square frame; the lesion fills about two thirds of it.
    """
    outline = _draw_outline(traits, rng)
    depth = _depth(outline, traits, rng, size)
    layers = _Layers(size)
    # A stream for each group: one structure more or less leaves the other groups as they were.
    base, pigment, vascular, surface = rng.spawn(4)
    _add_base(layers, traits, base, depth)
    _add_pigment(layers, traits, pigment, depth, outline)
    _add_vascular(layers, traits, vascular)
    _add_surface(layers, traits, surface)
    mask = ramp(depth, -traits.softness, traits.softness)
    return layers.finish(np.maximum(mask, _overhang(traits, depth)))


def _draw_outline(traits: Traits, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The border's radius at even steps of the angle: an ellipse and falling harmonics."""
    turns = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    order = np.arange(2, 12)
    swing = rng.normal(0, 1, len(order)) * (0.02 + 0.16 * traits.irregularity) / order
    swing[0] = rng.uniform(0.0, 0.16)
    phase = rng.uniform(0, 2 * np.pi, len(order))
    wave = swing @ np.cos(order[:, None] * turns + phase[:, None])
    lopsided = 0.22 * traits.asymmetry * np.cos(turns + rng.uniform(0, 2 * np.pi))
    return np.asarray(rng.uniform(0.52, 0.72) * np.clip(1 + wave + lopsided, 0.5, 1.35))


def _depth(
    outline: npt.NDArray[np.float64], traits: Traits, rng: np.random.Generator, size: int
) -> Field:
    """How far inside the border: 1 at the centre, 0 on the border, negative outside."""
    g = grid(size)
    bins = (g.angle * np.float32(_ANGLES / (2 * np.pi))).astype(np.int32) % _ANGLES
    depth = 1 - g.radius / outline.astype(np.float32)[bins]
    rough = 0.01 + 0.05 * traits.irregularity
    fray = rough * smooth_noise(rng, size, 9) + 0.5 * rough * smooth_noise(rng, size, 20)
    return np.asarray(depth + fray, dtype=np.float32)


def _overhang(traits: Traits, depth: Field) -> Field:
    """Mask [n, n], 0…1, of the rim outside of the border that streaks reach into."""
    if traits.streaks < _ABSENT:
        return np.zeros_like(depth)
    return np.asarray(0.9 * ramp(depth, -0.3, -0.22) * traits.streaks, dtype=np.float32)


def _add_base(layers: _Layers, traits: Traits, rng: np.random.Generator, depth: Field) -> None:
    size, g = layers.size, grid(layers.size)
    heading = rng.uniform(0, 2 * np.pi)
    slope = np.float32(np.cos(heading)) * g.x + np.float32(np.sin(heading)) * g.y
    clouds = traits.variegation * 0.4 * smooth_noise(rng, size, 3)
    shade = 1 + clouds + 0.8 * traits.asymmetry * slope + 0.25 * np.clip(depth, 0, 1)
    layers.melanin += np.float32(traits.melanin) * np.maximum(shade, 0.1)
    flush = 1 + 0.5 * traits.variegation * smooth_noise(rng, size, 3)
    layers.blood += np.float32(traits.blood) * np.maximum(flush, 0)


def _add_pigment(
    layers: _Layers,
    traits: Traits,
    rng: np.random.Generator,
    depth: Field,
    outline: npt.NDArray[np.float64],
) -> None:
    size, melanin = layers.size, layers.melanin
    if traits.network > _ABSENT:
        mesh = structures.network(rng, size, traits.atypia) - np.float32(0.45)
        melanin += np.float32(1.1 * traits.network) * mesh * ramp(depth, 0.0, 0.25)
    if traits.globules > _ABSENT:
        dots = structures.globules(rng, size, traits.atypia)
        melanin += np.float32(1.0 * traits.globules) * dots
    if traits.gyri > _ABSENT:
        melanin += np.float32(0.8 * traits.gyri) * (structures.gyri(rng, size) - np.float32(0.3))
    if traits.openings > _ABSENT:
        melanin += np.float32(1.3 * traits.openings) * structures.openings(rng, size)
    if traits.blotch > _ABSENT:
        dark = structures.blotch(rng, size, 0.1 + 0.35 * traits.asymmetry)
        melanin += np.float32(1.3 * traits.blotch) * dark
    if traits.nests > _ABSENT:
        layers.deep += np.float32(1.3 * traits.nests) * structures.nests(rng, size)
    if traits.streaks > _ABSENT:
        rays = structures.streaks(rng, size, outline)
        # Outside the border only the streaks themselves may darken the skin.
        melanin *= np.maximum(ramp(depth, -0.08, 0.0), rays)
        melanin += np.float32(1.0 * traits.streaks) * rays


def _add_vascular(layers: _Layers, traits: Traits, rng: np.random.Generator) -> None:
    size, blood = layers.size, layers.blood
    if traits.vessels > _ABSENT:
        blood += np.float32(1.3 * traits.vessels) * structures.arborising_vessels(rng, size)
    if traits.dotted_vessels > _ABSENT:
        blood += np.float32(1.2 * traits.dotted_vessels) * structures.dotted_vessels(rng, size)
    if traits.strawberry > _ABSENT:
        red, follicles = structures.strawberry(rng, size)
        blood += np.float32(0.8 * traits.strawberry) * (red - np.float32(0.3))
        layers.hide(np.float32(0.6 * traits.strawberry) * follicles, _KERATIN)
    if traits.lacunae > _ABSENT:
        lakes = structures.lacunae(rng, size)
        purple = rng.uniform(0.0, 0.9)
        blood += np.float32(1.5 * traits.lacunae) * lakes
        layers.deep += np.float32(purple * traits.lacunae) * lakes


def _add_surface(layers: _Layers, traits: Traits, rng: np.random.Generator) -> None:
    size = layers.size
    if traits.regression > _ABSENT:
        pale = structures.patches(rng, size, 3, 0.3)
        layers.hide(np.float32(0.5 * traits.regression) * pale, _WHITE)
        layers.deep += np.float32(0.8 * traits.regression) * structures.peppering(rng, size)
    if traits.veil > _ABSENT:
        haze = structures.blotch(rng, size, 0.3 * traits.asymmetry)
        layers.hide(np.float32(0.7 * traits.veil) * haze, _VEIL)
    if traits.scar > _ABSENT:
        layers.hide(np.float32(0.6 * traits.scar) * structures.scar(rng, size), _PINK_WHITE)
    if traits.ulcer > _ABSENT:
        wound = structures.patches(rng, size, 4, 0.15)
        layers.hide(np.float32(0.75 * traits.ulcer) * wound, _CRUST)
    if traits.cysts > _ABSENT:
        layers.hide(np.float32(0.8 * traits.cysts) * structures.cysts(rng, size), _KERATIN)
    if traits.scale > _ABSENT:
        layers.hide(np.float32(0.6 * traits.scale) * structures.scale(rng, size), _WHITE)
