"""The text of a first recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from edgekd.recipe import load_recipe
from edgekd.recipe.starter import Starter, starter_text

STARTER = Starter(
    name="mine",
    file="mine.yaml",
    data={
        "source": "csv", "file": "C:\\x: #1.csv", "label_column": "no", "group_column": "ünï",
        "attributes": ["age", "1"],
    },
    comments={"group_column": "all images of a patient lie in one part"},
    policy="none",
    teacher={"arch": "resnet50", "pretrained": "hub"},
    student={"arch": "tf_efficientnet_lite0", "pretrained": "package"},
    target="rpi",
)  # fmt: skip


def test_it_loads_with_every_value_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(starter_text(STARTER), encoding="utf-8")
    recipe = load_recipe(str(file))
    assert recipe.data == {**STARTER.data}
    assert recipe.teacher is not None
    assert recipe.teacher.model is not None
    assert recipe.teacher.model.arch == "resnet50"
    assert recipe.method["name"] == "kd"
    assert recipe.policy == "none"


@pytest.mark.parametrize("teacher", [None, {"checkpoint": "runs/my teacher"}])
def test_a_teacher_that_is_trained_and_none(tmp_path: Path, teacher: dict[str, str] | None) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(starter_text(replace(STARTER, teacher=teacher)), encoding="utf-8")
    recipe = load_recipe(str(file))
    assert (recipe.teacher and recipe.teacher.checkpoint) == (teacher and "runs/my teacher")
    assert recipe.method["name"] == ("none" if teacher is None else "kd")


def test_comments_say_what_to_run_and_why() -> None:
    text = starter_text(STARTER)
    assert "edgekd data inspect mine.yaml" in text
    assert "edgekd build --target rpi --model runs/mine" in text
    assert '"ünï" # all images of a patient lie in one part' in text
    assert yaml.safe_load(text)["name"] == "mine"
