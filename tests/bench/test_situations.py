"""`benchmarks/situations`: arms are recipes, labels are wrong where they should, tables compare."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.data import load_dataset, split_dataset
from edgekd.distill.methods import resolve_method
from edgekd.recipe import SplitSection, convert

SITUATIONS = Path(__file__).resolve().parents[2] / "benchmarks" / "situations"
PAINTED = {"source": "synthetic", "images": 300, "size": 32, "seed": 1}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports modules of the benchmark, whose names are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(SITUATIONS))
    yield __import__
    for path in SITUATIONS.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_every_arm_is_a_recipe_and_those_compared_at_once_have_the_same_schedule(
    module: Callable[[str], Any],
) -> None:
    arms = module("arms")
    for tables in [*arms.SITUATIONS.values(), [arms.FEW_SHOT]]:
        for table in tables:
            recipes = arms.recipes_of(table, PAINTED)
            names = [one.name for group in recipes.values() for one in group]
            assert sorted(names) == sorted(table.arms)
            for epochs, group in recipes.items():
                for recipe in group:
                    assert recipe.student.fit.epochs == epochs
                    kind, _ = resolve_method(recipe.method)
                    assert table.teacher or not kind.needs_teacher


def test_training_labels_alone_are_wrong(module: Callable[[str], Any], tmp_path: Path) -> None:
    shares = module("arms").SPLIT
    data = PAINTED | {"root": str(tmp_path / "painted")}
    file = tmp_path / "labels.csv"
    section = module("labels").wrong_labels(data, 0.5, file)
    dataset = load_dataset(data)
    split = split_dataset(dataset, convert(shares, SplitSection, "split"))
    parts = {i: part for part in ("train", "validation", "test") for i in split.indices(part)}
    with file.open(newline="") as table:
        rows = list(csv.DictReader(table))
    wrong = [
        row["label"] != sample.label for row, sample in zip(rows, dataset.samples, strict=True)
    ]
    assert [row["split"] for row in rows] == [parts[i] for i in range(len(rows))]
    of_training = [wrong[i] for i in split.indices("train")]
    assert 0.4 < np.mean(of_training) < 0.6
    assert sum(wrong) == sum(of_training)
    again = split_dataset(load_dataset(section), convert(shares, SplitSection, "split"))
    assert {part: len(again.indices(part)) for part in ("train", "validation", "test")} == {
        part: len(split.indices(part)) for part in ("train", "validation", "test")
    }


def test_a_table_has_the_difference_from_its_first_arm(module: Callable[[str], Any]) -> None:
    compared, arms = module("compared"), module("arms")
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 60)
    groups = np.arange(len(labels))

    def answers(skill: float) -> Any:
        logits = rng.normal(size=(3, len(labels), 3)).astype(np.float32)
        logits[:, groups, labels] += skill
        return compared.Outputs(logits, labels, groups, ("a", "b", "c"))

    table = arms.Table(
        name="t", arms={"kd": (1, {}), "better": (1, {})}, student={}, classes=("c",)
    )
    outputs = {"better": answers(3.0), "kd": answers(0.5), "teacher": answers(4.0)}
    first, second, teacher = compared.rows_of(table, outputs)
    versus = "balanced accuracy − kd [95 %]"
    assert (first["arm"], first[versus]) == ("kd", "—")
    low, high = map(float, second[versus].split("[")[1].rstrip("]").split(", "))
    assert 0 < low < high
    assert second["sensitivity of c − kd [95 %]"].startswith("+")
    assert (teacher["arm"], teacher[versus]) == ("teacher", "—")
    assert compared.text_of([first, second, teacher]).count("\n") == 5


def test_classes_that_are_left_out_are_not_learnt(
    module: Callable[[str], Any], tmp_path: Path
) -> None:
    data = PAINTED | {"root": str(tmp_path / "painted")}
    section, whole = module("labels").without_classes(data, ("mel", "df"), tmp_path / "base.csv")
    base = load_dataset(section)
    assert {*whole.classes} - {*base.classes} == {"mel", "df"}
    assert len(base.samples) == sum(one.label not in ("mel", "df") for one in whole.samples) > 0


def test_a_gain_of_episodes_has_an_interval_over_seeds(module: Callable[[str], Any]) -> None:
    scores = {"none": {1: [0.40, 0.42, 0.41]}, "born_again": {1: [0.50, 0.51, 0.52]}}
    first, second = module("few_shot")._rows(scores)
    gain = "− none, 1 image [95 %]"
    assert first[gain] == "—"
    assert second["1 image of each class"] == "51.0 ± 1.0"
    assert second[gain] == "+10.0 [+7.7, +12.3]"
