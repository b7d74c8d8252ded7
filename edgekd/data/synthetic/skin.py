"""The skin around the lesion, and how light and pigment colour it."""

from __future__ import annotations

import numpy as np

from edgekd.data.synthetic.fields import Field, ramp, smooth_noise

__all__ = ["BLOOD", "DEEP_MELANIN", "MELANIN", "absorb", "draw_tone", "paint_skin"]

# Optical density per unit of pigment in red, green and blue. Melanin in the epidermis looks brown;
# the same melanin deep in the dermis looks blue, because short waves are scattered back first.
MELANIN: Field = np.array([0.58, 0.86, 1.08], dtype=np.float32)
DEEP_MELANIN: Field = np.array([1.15, 0.85, 0.50], dtype=np.float32)
BLOOD: Field = np.array([0.18, 1.05, 0.85], dtype=np.float32)

_LIGHTEST: Field = np.array([0.95, 0.80, 0.73], dtype=np.float32)


def draw_tone(rng: np.random.Generator) -> Field:
    """Skin colour [3] in 0..1: the lightest skin darkened by its melanin and warmed by blood."""
    # Skewed to light skin as HAM10000 is, with a tail to dark.
    density = rng.beta(1.2, 3.0) * 0.8
    return _LIGHTEST * np.exp(-density * MELANIN - rng.uniform(0, 0.2) * BLOOD)


def paint_skin(rng: np.random.Generator, size: int, tone: Field) -> Field:
    """Skin [size, size, 3] in 0..1, with mottling and fine furrows."""
    mottle = np.float32(rng.uniform(0.01, 0.05)) * smooth_noise(rng, size, 5)
    furrows = ramp(np.abs(smooth_noise(rng, size, 28)), 0.35, 0.0)
    density = mottle + np.float32(rng.uniform(0.0, 0.08)) * furrows
    redness = np.float32(rng.uniform(0.0, 0.045)) * smooth_noise(rng, size, 4)
    return absorb(tone, density[..., None] * MELANIN + redness[..., None] * BLOOD)


def absorb(reflectance: Field, density: Field) -> Field:
    """Beer-Lambert: what is left of `reflectance` behind an optical `density`."""
    return np.asarray(reflectance * np.exp(-density), dtype=np.float32)
