"""The result of a search by a supernet, made up."""

from __future__ import annotations

from pathlib import Path

from searches import recipe_of
from small_space import SMALL

from edgekd.tune.supernet.evolution import Fitness, Scored
from edgekd.tune.supernet.outcome import SupernetResult, result_of_search

SCORED = [
    Scored(SMALL.smallest, Fitness(0.5, -1.0), 1e5, 0),
    Scored(SMALL.largest, Fitness(0.7, -0.8), 4e5, 0),
    Scored(SMALL.of([*SMALL.largest.stages[:2], SMALL.smallest.stages[2]]), Fitness(0.7, -0.9),
           3e5, 1),
    Scored(SMALL.of([*SMALL.smallest.stages[:2], SMALL.largest.stages[2]]), Fitness(0.4, -2.0),
           2e5, 1),
]  # fmt: skip


def result(tmp_path: Path, **fields: object) -> SupernetResult:
    known = {
        "images": "none", "metric": "agreement", "cost": "macs", "limit": 5e5, "architectures": 9,
    }  # fmt: skip
    return result_of_search(SCORED, SCORED[1], recipe_of(tmp_path), 7, **{**known, **fields})
