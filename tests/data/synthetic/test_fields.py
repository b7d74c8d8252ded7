"""Scalar fields: coordinates, steps, lattices and drawn shapes."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.data.synthetic.fields import (
    grid,
    lattice_points,
    ramp,
    smooth_noise,
    soften,
    stamp,
    strokes,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_frame_spans_minus_1_to_1() -> None:
    frame = grid(4)
    assert frame.x[0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert np.array_equal(frame.y, frame.x.T)
    assert frame.radius[0, 0] == pytest.approx(0.75 * 2**0.5)
    with pytest.raises(ValueError, match="read-only"):
        frame.x[0, 0] = 0.0


def test_a_ramp_rises_from_0_to_1_and_falls_the_other_way() -> None:
    field = np.array([-1.0, 0.0, 0.5, 1.0, 2.0], np.float32)
    assert ramp(field, 0.0, 1.0).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert ramp(field, 1.0, 0.0).tolist() == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_noise_has_about_unit_variance() -> None:
    field = smooth_noise(rng(), 256, 40)
    assert field.shape == (256, 256)
    assert 0.6 < field.std() < 1.4


def test_lattice_points_are_a_pitch_apart_within_their_disc() -> None:
    points = lattice_points(rng(), 0.2, 0.0, 0.8)
    assert np.hypot(*points.T).max() < 0.8
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = np.sort(distances, axis=1)[:, 1]
    assert np.allclose(nearest, 0.2, rtol=0.02)


def test_a_disc_has_its_area_and_a_line_its_place() -> None:
    disc = stamp(200, np.zeros((1, 2)), np.array([0.5]))
    assert disc.mean() == pytest.approx(np.pi * 0.25 / 4, rel=0.03)
    line = strokes(200, [(np.array([[-1.0, 0.0], [1.0, 0.0]]), 0.1)])
    assert line[100].min() == 1.0
    assert line[50].max() == 0.0


def test_a_blur_keeps_the_mean_and_none_changes_nothing() -> None:
    field = stamp(64, np.zeros((1, 2)), np.array([0.3]))
    assert soften(field, 0.2).mean() == pytest.approx(field.mean(), rel=0.01)
    assert soften(field, 0.2).max() < field.max()
    assert soften(field, 0.001) is field
