"""Pareto fronts and hypervolumes, beside brute force and Optuna's own."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.tune.front import Point, hypervolume, on_front


def points_of(seed: int, count: int = 12) -> list[Point]:
    rng = np.random.default_rng(seed)
    rounded = rng.random((count, 2)).round(1)  # with ties
    return [Point(float(quality), float(cost)) for quality, cost in rounded]


def dominates(a: Point, b: Point) -> bool:
    return a.quality >= b.quality and a.cost <= b.cost and a != b


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_what_nothing_dominates(seed: int) -> None:
    points = points_of(seed)
    front = {points[index] for index in on_front(points)}
    assert front == {p for p in points if not any(dominates(q, p) for q in points)}


def test_the_front_is_by_ascending_cost_and_names_the_first_of_equals() -> None:
    points = [Point(0.5, 2.0), Point(0.4, 1.0), Point(0.4, 1.0), Point(0.3, 1.5)]
    assert on_front(points) == [1, 0]
    assert on_front([]) == []


@pytest.mark.parametrize("seed", range(20))
def test_the_hypervolume_is_the_share_of_a_fine_grid_that_is_dominated(seed: int) -> None:
    points, reference = points_of(seed), Point(0.15, 0.85)
    steps = (np.arange(400) + 0.5) / 400
    quality, cost = np.meshgrid(0.15 + 0.85 * steps, 0.85 * steps)
    covered = np.zeros_like(quality, bool)
    for p in points:
        covered |= (quality < p.quality) & (cost > p.cost)
    exact = float(covered.mean()) * 0.85 * 0.85
    assert hypervolume(points, reference) == pytest.approx(exact, abs=2e-3)


def test_points_that_are_no_better_than_the_reference_add_nothing() -> None:
    reference = Point(0.2, 1.0)
    assert hypervolume([Point(0.2, 0.1), Point(0.9, 1.0)], reference) == 0
    assert hypervolume([Point(0.5, 0.5), Point(0.1, 0.1)], reference) == pytest.approx(0.15)
