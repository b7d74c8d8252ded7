"""Methods beside one another over the same data, split and seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekd.distill.compare import CompareRequest, Comparison, compare, markdown
from edgekd.errors import InputError
from edgekd.recipe import Recipe

Make = Callable[..., Recipe]


def recipes(make: Make) -> list[Recipe]:
    return [
        make(name="soft", method={"name": "kd"}),
        make(name="hints", method={"name": "fitnet"}),
    ]


def run(make: Make, out: Path, seeds: list[int]) -> tuple[Comparison, list[str]]:
    lines: list[str] = []
    return compare(CompareRequest(recipes(make), seeds, out, lines.append)), lines


def test_the_table_has_every_method_and_the_undistilled_student(
    recipe: Make, tmp_path: Path
) -> None:
    found, _ = run(recipe, tmp_path, [0, 1])
    assert [row.name for row in found.rows] == ["none", "soft", "hints"]
    assert found.rows[0].versus_undistilled is None
    for row in found.rows[1:]:
        assert row.seeds == (0, 1)
        versus = row.versus_undistilled
        assert versus is not None
        baseline = found.rows[0].metrics["balanced_accuracy"].mean
        difference = row.metrics["balanced_accuracy"].mean - baseline
        assert versus.value == pytest.approx(difference)
    assert set(found.teacher) == {"accuracy", "balanced_accuracy", "macro_f1", "macro_auroc"}


def test_a_second_call_trains_nothing_and_says_so(recipe: Make, tmp_path: Path) -> None:
    first, _ = run(recipe, tmp_path, [0])
    second, lines = run(recipe, tmp_path, [0])
    assert second == first
    assert sum("reused" in line for line in lines) == 4  # the teacher and three students


def test_a_further_seed_keeps_what_is_there(recipe: Make, tmp_path: Path) -> None:
    run(recipe, tmp_path, [0])
    found, lines = run(recipe, tmp_path, [0, 1])
    assert sum("reused" in line for line in lines) == 4
    spread = found.rows[0].metrics["accuracy"]
    scores = [
        json.loads((tmp_path / "none" / f"seed-{seed}" / "student" / "metrics.json").read_text())
        for seed in (0, 1)
    ]
    accuracies = [score["test"]["accuracy"]["value"] for score in scores]
    assert spread.mean == pytest.approx(np.mean(accuracies))
    assert spread.sd == pytest.approx(np.std(accuracies, ddof=1))


def test_unequal_recipes_are_refused(recipe: Make, tmp_path: Path) -> None:
    unequal = [recipe(name="a"), recipe(name="b", image_size=48)]
    with pytest.raises(InputError, match="differ in `image_size`"):
        compare(CompareRequest(unequal, [0], tmp_path))


def test_recipes_of_one_name_are_refused(recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="different names"):
        compare(CompareRequest([recipe(), recipe()], [0], tmp_path))


def test_the_markdown_table_is_rectangular(recipe: Make, tmp_path: Path) -> None:
    found, _ = run(recipe, tmp_path, [0])
    lines = markdown(found).splitlines()
    assert len(lines) == 2 + 1 + len(found.rows)
    assert len({line.count("|") for line in lines}) == 1
