"""The dermoscopic structures, each as a map [size, size] from 0 to 1 in the lesion's frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekd.data.synthetic.fields import (
    Field,
    grid,
    lattice_points,
    ramp,
    smooth_noise,
    soften,
    stamp,
    strokes,
)

__all__ = [
    "arborising_vessels",
    "blotch",
    "cysts",
    "dotted_vessels",
    "globules",
    "gyri",
    "lacunae",
    "nests",
    "network",
    "openings",
    "patches",
    "peppering",
    "scale",
    "scar",
    "strawberry",
    "streaks",
]

_Points = npt.NDArray[np.float64]


def network(rng: np.random.Generator, size: int, atypia: float) -> Field:
    """Pigment network: a honeycomb of lines, even for atypia 0, torn and uneven for 1."""
    lattice = _honeycomb(rng, size, rng.uniform(0.13, 0.19), 0.018 + 0.045 * atypia)
    width = 0.2 + 0.5 * atypia * smooth_noise(rng, size, 4)
    lines = ramp(lattice - width.astype(np.float32), 0.7, -0.7)
    gaps = ramp(smooth_noise(rng, size, 3), -0.9, 0.7)
    return np.asarray(lines * (1 - atypia * (1 - gaps)), dtype=np.float32)


def _honeycomb(rng: np.random.Generator, size: int, period: float, warp: float) -> Field:
    """Three crossed waves, from -1.5 on the lines to 3 in the holes; bent by `warp`."""
    g = grid(size)
    x = g.x + np.float32(warp) * smooth_noise(rng, size, 7)
    y = g.y + np.float32(warp) * smooth_noise(rng, size, 7)
    turn, wave = rng.uniform(0, np.pi), 2 * np.pi / (period * 0.866)
    total = np.zeros((size, size), dtype=np.float32)
    for angle in turn + np.arange(3) * np.pi * 2 / 3:
        total += np.cos(np.float32(wave * np.cos(angle)) * x + np.float32(wave * np.sin(angle)) * y)
    return total


def globules(rng: np.random.Generator, size: int, atypia: float) -> Field:
    """Dots and globules: of one size and evenly spread, or clustered and of all sizes."""
    points = lattice_points(rng, rng.uniform(0.16, 0.22), 0.1 + 0.35 * atypia, 0.75)
    if atypia > 0.4:  # an irregular crowd in one part of the lesion
        heading = rng.uniform(0, 2 * np.pi)
        side = points @ np.array([np.cos(heading), np.sin(heading)])
        points = points[(side > -0.05) & (rng.random(len(points)) < 0.8)]
    spread = rng.uniform(1 - 0.6 * atypia, 1 + 0.7 * atypia, len(points))
    return stamp(size, points, rng.uniform(0.035, 0.055) * spread, 0.008)


def streaks(rng: np.random.Generator, size: int, outline: _Points) -> Field:
    """Radial streaks and pseudopods on one sector of the border.

    Args:
        rng: Source of the sector and the lines.
        size: Pixels of the frame.
        outline: Radius of the border at even steps of the angle, frame units.
    """
    centre, count = rng.uniform(0, 2 * np.pi), int(rng.integers(8, 18))
    angles = centre + rng.uniform(-1.1, 1.1, count)
    bins = (angles / (2 * np.pi) * len(outline)).astype(int) % len(outline)
    inner = outline[bins] * rng.uniform(0.7, 0.85, count)
    outer = outline[bins] * rng.uniform(1.05, 1.25, count)
    ray = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lines = [(np.stack([r * a, r * b]), 0.03) for r, a, b in zip(ray, inner, outer, strict=True)]
    ends = stamp(size, ray * outer[:, None], np.full(count, 0.03))
    return np.maximum(strokes(size, lines, 0.008), ends)


def blotch(rng: np.random.Generator, size: int, off_centre: float) -> Field:
    """A structureless dark area, its centre `off_centre` (frame units) from the lesion's."""
    heading, g = rng.uniform(0, 2 * np.pi), grid(size)
    x = g.x - np.float32(off_centre * np.cos(heading))
    y = g.y - np.float32(off_centre * np.sin(heading))
    reach = np.hypot(x, y) + np.float32(0.08) * smooth_noise(rng, size, 5)
    wide = rng.uniform(0.18, 0.32)
    return ramp(reach.astype(np.float32), wide + 0.1, wide - 0.08)


def patches(rng: np.random.Generator, size: int, cells: int, share: float) -> Field:
    """Cloudy patches that cover about `share` of the frame."""
    noise = smooth_noise(rng, size, cells)
    edge = float(np.quantile(noise[::4, ::4], 1 - share))
    return ramp(noise, edge - 0.45, edge + 0.45)


def peppering(rng: np.random.Generator, size: int) -> Field:
    """Fine blue-grey granules, as in regression."""
    points = rng.uniform(-0.7, 0.7, (90, 2))
    return stamp(size, points, np.full(90, 0.014), 0.006)


def cysts(rng: np.random.Generator, size: int) -> Field:
    """Milia-like cysts: few round bright spots, some large."""
    count = int(rng.integers(7, 18))
    points = _scatter(rng, count, 0.55)
    return stamp(size, points, rng.choice([0.025, 0.04, 0.06], count), 0.014)


def openings(rng: np.random.Generator, size: int) -> Field:
    """Comedo-like openings: few round dark plugs."""
    count = int(rng.integers(5, 13))
    return stamp(size, _scatter(rng, count, 0.55), rng.uniform(0.03, 0.065, count), 0.012)


def gyri(rng: np.random.Generator, size: int) -> Field:
    """Fissures between ridges, the brain-like surface of a seborrhoeic keratosis."""
    noise = smooth_noise(rng, size, int(rng.integers(10, 15)))
    return ramp(np.abs(noise), 0.45, 0.05)


def arborising_vessels(rng: np.random.Generator, size: int) -> Field:
    """Bright trunks that enter from the border and branch into ever finer twigs."""
    lines: list[tuple[_Points, float]] = []
    for _ in range(int(rng.integers(3, 6))):
        angle = rng.uniform(0, 2 * np.pi)
        start = 0.7 * np.array([np.cos(angle), np.sin(angle)])
        _grow(rng, lines, start, angle + np.pi + rng.normal(0, 0.4), 0.04, 3)
    return strokes(size, lines, 0.006)


def _grow(
    rng: np.random.Generator,
    lines: list[tuple[_Points, float]],
    start: _Points,
    heading: float,
    width: float,
    levels: int,
) -> None:
    headings = heading + np.cumsum(rng.normal(0, 0.22, 6))
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1)
    path = np.vstack([start, start + np.cumsum(steps * (0.05 + 0.7 * width), axis=0)])
    lines.append((path, width))
    if levels > 1:
        for node, side in ((3, -1.0), (5, 1.0), (6, -0.6)):
            turn = side * rng.uniform(0.4, 0.9)
            _grow(rng, lines, path[node], headings[node - 1] + turn, width * 0.62, levels - 1)


def nests(rng: np.random.Generator, size: int) -> Field:
    """Ovoid nests and leaf-like areas: a few blurred blobs, mostly towards the border."""
    count = int(rng.integers(4, 9))
    centres = _scatter(rng, count, 0.6, 0.2)
    radii = rng.uniform(0.06, 0.13, count)
    # Two discs side by side make an ovoid that needs no rotated ellipse.
    partner = centres + radii[:, None] * rng.uniform(-0.9, 0.9, (count, 2))
    return stamp(size, np.vstack([centres, partner]), np.tile(radii, 2), 0.018)


def dotted_vessels(rng: np.random.Generator, size: int) -> Field:
    """Dotted and glomerular vessels in clusters, as in Bowen's disease."""
    points = lattice_points(rng, 0.11, 0.3, 0.6)
    heart = _scatter(rng, 2, 0.3)
    near = np.min(np.hypot(*(points[:, None] - heart[None]).transpose(2, 0, 1)), axis=1)
    points = points[near < 0.38]
    return stamp(size, points, rng.uniform(0.018, 0.034, len(points)), 0.006)


def strawberry(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """The red pseudo-network and the pale follicles in its meshes."""
    lattice = _honeycomb(rng, size, rng.uniform(0.22, 0.3), 0.03)
    return ramp(lattice, 1.0, -0.8), ramp(lattice, 1.7, 2.6)


def scale(rng: np.random.Generator, size: int) -> Field:
    """White to yellow flakes on the surface, in patches."""
    flakes = ramp(smooth_noise(rng, size, 22), 0.1, 0.9)
    return np.asarray(flakes * patches(rng, size, 3, 0.5), dtype=np.float32)


def scar(rng: np.random.Generator, size: int) -> Field:
    """The central white patch of a dermatofibroma, frayed at its rim."""
    reach = grid(size).radius + np.float32(0.07) * smooth_noise(rng, size, 6)
    wide = rng.uniform(0.2, 0.34)
    return ramp(reach.astype(np.float32), wide + 0.13, wide - 0.1)


def lacunae(rng: np.random.Generator, size: int) -> Field:
    """Round red-purple lakes, separated by pale septa."""
    pitch = rng.uniform(0.18, 0.3)
    points = lattice_points(rng, pitch, 0.1, 0.62)
    points = points[rng.random(len(points)) < 0.9]
    radii = pitch * rng.uniform(0.35, 0.55, len(points))
    lakes = stamp(size, points, radii)
    rims = strokes(size, [(_ring(p, r), 0.02) for p, r in zip(points, radii, strict=True)])
    return soften(np.asarray(lakes * (1 - 0.8 * rims), dtype=np.float32), 0.01)


def _ring(centre: _Points, radius: float) -> _Points:
    turns = np.linspace(0, 2 * np.pi, 17)
    return np.asarray(centre + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1))


def _scatter(rng: np.random.Generator, count: int, outer: float, inner: float = 0.0) -> _Points:
    """Points [count, 2] spread evenly over a ring around the centre."""
    angle = rng.uniform(0, 2 * np.pi, count)
    reach = np.sqrt(rng.uniform(inner**2, outer**2, count))
    return np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
