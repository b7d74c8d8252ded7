"""`--trust-code` allows the classes that are named, and no others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgekd.cli.trusting import trust_checkpoints, trust_recipe
from edgekd.errors import InputError
from edgekd.files import pretty_json
from edgekd.models import DataCard, ModelCard, TrainingCard
from edgekd.models.card import CARD
from edgekd.models.trust import TRUSTED, refuse_untrusted
from edgekd.recipe import Recipe, convert


@pytest.fixture(autouse=True)
def _nothing_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED, "")


def write(folder: Path, arch: str) -> Path:
    """A checkpoint's card."""
    training = TrainingCard(
        method="none", seed=0, recipe_sha256="", stage_sha256="", epochs=1, best_epoch=1
    )
    card = ModelCard(
        role="teacher", arch=arch, classes=("mel", "nv"), image_size=32, mean=(0.5,) * 3,
        std=(0.5,) * 3, resize="rule", params=1, macs=1, pretrained="none",
        data=DataCard(name="x", root="", sha256="", images={}), training=training,
    )  # fmt: skip
    folder.mkdir(parents=True)
    (folder / CARD).write_bytes(pretty_json(card))
    return folder


def recipe_of(**sections: Any) -> Recipe:
    raw = {"name": "x", "data": {"source": "synthetic"}, **sections}
    return convert(raw, Recipe, "the test's recipe")


def trusted(place: str) -> bool:
    try:
        refuse_untrusted(place)
    except InputError:
        return False
    return True


def test_classes_of_a_recipe_and_of_its_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = write(tmp_path / "teacher", "site.heavy:Net")
    recipe = recipe_of(
        student={"model": {"arch": "site.light:Net"}}, teacher={"checkpoint": str(teacher)}
    )
    trust_recipe(recipe, trusted=False)
    assert os.environ[TRUSTED] == ""
    trust_recipe(recipe, trusted=True)
    assert trusted("site.light:Net")
    assert trusted("site.heavy:Net")
    assert not trusted("site:Net")
    assert not trusted("another:Net")
    assert "--trust-code: site.heavy:Net is imported and run" in capsys.readouterr().err


def test_networks_of_libraries_are_no_code_of_the_users(tmp_path: Path) -> None:
    trust_recipe(
        recipe_of(student={"model": {"arch": "torchvision:resnet18"}},
                  teachers=[{"model": {"arch": "resnet10t"}}, {"model": {"arch": "resnet14t"}}]),
        trusted=True,
    )  # fmt: skip
    trust_checkpoints([write(tmp_path / "a", "ONNX"), tmp_path / "none", None], trusted=True)
    assert os.environ[TRUSTED] == ""


def test_checkpoints_of_a_run_and_the_teacher_that_its_recipe_names(tmp_path: Path) -> None:
    teacher = write(tmp_path / "elsewhere", "heavy:Net")
    student = write(tmp_path / "run" / "student", "light:Net")
    recipe = {"teacher": {"checkpoint": str(teacher)}}
    (student / "recipe.json").write_bytes(msgspec.json.encode(recipe))
    trust_checkpoints([tmp_path / "run"], trusted=False)
    assert not trusted("light:Net")
    trust_checkpoints([tmp_path / "run"], trusted=True)
    assert trusted("light:Net")
    assert trusted("heavy:Net")
