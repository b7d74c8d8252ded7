"""Pareto fronts of quality against cost, and the hypervolume that they dominate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Point", "hypervolume", "on_front"]


class Point(NamedTuple):
    """A trial in the plane of the objectives.

    Attributes:
        quality: Higher is better.
        cost: Lower is better.
    """

    quality: float
    cost: float


def on_front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other point dominates, by ascending cost.

    Of equal points the first is on the front.
    """
    order = sorted(range(len(points)), key=lambda n: (points[n].cost, -points[n].quality, n))
    front: list[int] = []
    for index in order:
        if not front or points[index].quality > points[front[-1]].quality:
            front.append(index)
    return front


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The area that the points dominate, up to a reference point.

    Zitzler & Thiele 1999, "Multiobjective evolutionary algorithms: a comparative case study and the
    strength Pareto approach", for two objectives.

    Args:
        points: The points; those that do not dominate the reference add nothing.
        reference: The worst quality and the worst cost that count.
    """
    inside = [p for p in points if p.quality > reference.quality and p.cost < reference.cost]
    area, height = 0.0, reference.quality
    front = [inside[index] for index in on_front(inside)]
    for point in front:
        area += (reference.cost - point.cost) * (point.quality - height)
        height = point.quality
    return area
