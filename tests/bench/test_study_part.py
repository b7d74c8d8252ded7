"""`benchmarks/study/table_of_part.py`: the images of a part, as a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from study_design import TEACHER, importing

from edgekd.data import load_dataset, split_dataset
from edgekd.recipe import load_recipe


def test_the_table_has_the_images_of_the_part_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(TEACHER)
    for module in importing():
        script = module("table_of_part")
        words = ["test", "--data", str(tmp_path / "data"), "--recipe", str(file)]
        assert script.main(words) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        recipe = load_recipe(file)
        dataset = load_dataset({**recipe.data, "root": str(tmp_path / "data")}, recipe.task)
        expected = [
            dataset.samples[n] for n in split_dataset(dataset, recipe.split).indices("test")
        ]
        assert [tuple(row.values()) for row in rows] == [
            (sample.image, sample.label, sample.group) for sample in expected
        ]
        assert all((tmp_path / "data" / row["image"]).is_file() for row in rows)
        assert script.main([*words[:2], str(tmp_path / "none"), "--recipe", "nowhere.yaml"]) == 2
