"""Comparisons of two methods on a few painted images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekd.distill.comparison.compare import CompareRequest, compare
from edgekd.distill.comparison.comparison import Comparison
from edgekd.recipe import Recipe

Make = Callable[..., Recipe]


def recipes(make: Make, **sections: Any) -> list[Recipe]:
    return [
        make(name="soft", method={"name": "kd"}, **sections),
        make(name="hints", method={"name": "fitnet"}, **sections),
    ]


def run(make: Make, out: Path, seeds: list[int], **sections: Any) -> tuple[Comparison, list[str]]:
    lines: list[str] = []
    return compare(CompareRequest(recipes(make, **sections), seeds, out, lines.append)), lines
