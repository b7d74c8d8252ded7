"""Scalar fields on a square frame: coordinates, smooth noise, ramps, point patterns."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "Field",
    "Grid",
    "grid",
    "lattice_points",
    "ramp",
    "smooth_noise",
    "soften",
    "stamp",
    "strokes",
]

Field = npt.NDArray[np.float32]
"""A scalar map [n, n] or a colour map [n, n, c], float32."""

_SHIFT = 4  # fraction bits of the coordinates that cv2 draws at, for sub-pixel places


class Grid(NamedTuple):
    """Coordinates of the pixel centres; the frame spans -1 to 1 both ways."""

    x: Field
    y: Field
    radius: Field
    angle: Field  # radians, -pi to pi


@lru_cache(maxsize=8)
def grid(size: int) -> Grid:
    """The coordinates of a frame of `size` pixels, shared and read-only."""
    axis = ((np.arange(size) + 0.5) * 2 / size - 1).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    made = Grid(x, y, np.hypot(x, y), np.arctan2(y, x))
    for field in made:
        field.setflags(write=False)
    return made


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> Field:
    """Noise [size, size] of about unit variance whose bumps are 2/cells of the frame wide."""
    coarse = rng.standard_normal((cells + 2, cells + 2), dtype=np.float32)
    fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine * np.float32(1.3), dtype=np.float32)


def ramp(field: Field, low: float, high: float) -> Field:
    """Smooth step: 0 where `field` is below `low`, 1 above `high`; falls if high < low."""
    t = np.clip((field - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def lattice_points(
    rng: np.random.Generator, pitch: float, jitter: float, extent: float
) -> npt.NDArray[np.float64]:
    """Points [n, 2] of a hexagonal lattice within `extent` of the centre, each moved a little.

    Args:
        rng: Source of the lattice's rotation and the jitter.
        pitch: Distance of neighbours, in frame units.
        jitter: Standard deviation of the movement, in pitches.
        extent: Radius of the disc that is filled, in frame units.
    """
    steps = np.arange(-int(extent / pitch) - 2, int(extent / pitch) + 3)
    i, j = (a.ravel() for a in np.meshgrid(steps, steps))
    points = np.stack([i + 0.5 * (j % 2), j * 0.866], axis=1) * pitch
    turn = rng.uniform(0, np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = points @ rotation + rng.normal(0, jitter * pitch + 1e-9, points.shape)
    return np.asarray(points[np.hypot(points[:, 0], points[:, 1]) < extent])


def stamp(
    size: int, points: npt.NDArray[np.float64], radii: npt.NDArray[np.float64], blur: float = 0.0
) -> Field:
    """Filled discs drawn as a map from 0 to 1.

    Args:
        size: Pixels of the frame.
        points: Centres [n, 2], frame units.
        radii: Radii [n], frame units.
        blur: Standard deviation of a Gaussian over the discs, frame units.
    """
    canvas = np.zeros((size, size), dtype=np.uint8)
    centres = np.rint(((points + 1) * size / 2 - 0.5) * (1 << _SHIFT)).astype(int).tolist()
    lengths = np.maximum(np.rint(radii * size / 2 * (1 << _SHIFT)), 8).astype(int).tolist()
    for centre, length in zip(centres, lengths, strict=True):
        cv2.circle(canvas, centre, length, 255, -1, cv2.LINE_AA, _SHIFT)
    return soften(canvas.astype(np.float32) / np.float32(255), blur)


def soften(field: Field, sigma: float) -> Field:
    """Gaussian blur with `sigma` in frame units; none where it is below a third of a pixel."""
    pixels = sigma * field.shape[0] / 2
    if pixels < 0.33:
        return field
    return np.asarray(cv2.GaussianBlur(field, (0, 0), pixels), dtype=np.float32)


def strokes(
    size: int, lines: list[tuple[npt.NDArray[np.float64], float]], blur: float = 0.0
) -> Field:
    """Polylines drawn as a map from 0 to 1; each is points [n, 2] and a width, frame units."""
    # One pixel is cv2's thinnest line: draw twice as large so that half a pixel is possible.
    canvas = np.zeros((2 * size, 2 * size), dtype=np.uint8)
    for points, width in lines:
        path = np.rint((points + 1) * size * (1 << _SHIFT)).astype(np.int32)
        thickness = max(1, round(width * size))
        cv2.polylines(canvas, [path[:, None]], False, 255, thickness, cv2.LINE_AA, _SHIFT)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return soften(small.astype(np.float32) / np.float32(255), blur)
