"""Finished runs of other recipes in the same folder, by the recipe that they recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cards import make_card

from edgekd.distill.runs.record import RECIPE
from edgekd.distill.runs.replacing import (
    RunFacts,
    is_finished,
    loss_of,
    refuse_other_recipe,
    refuse_replacing,
)
from edgekd.errors import InputError
from edgekd.files import pretty_json
from edgekd.models.card import CARD
from edgekd.recipe import Recipe, convert
from edgekd.seals import seal_files

Make = Callable[..., Recipe]
KD = {"name": "kd", "temperature": 4.0}


def finished(folder: Path, recipe: Recipe, **training: Any) -> Path:
    """The files of a finished run by which another is compared."""
    folder.mkdir(parents=True)
    card = make_card()
    facts = {"method": "kd", "options": {"temperature": 4.0}, "precision": "fp32", **training}
    card = msgspec.structs.replace(
        card, training=msgspec.structs.replace(card.training, teacher=None, **facts)
    )
    (folder / CARD).write_bytes(pretty_json(card))
    (folder / RECIPE).write_bytes(pretty_json(recipe))
    seal_files(folder, [CARD, RECIPE])
    return folder


def changed(recipe: Recipe, **sections: Any) -> Recipe:
    return convert(msgspec.to_builtins(recipe) | sections, Recipe, "the test's recipe")


def message(folder: Path, recipe: Recipe, method: dict[str, Any] | None = KD) -> str:
    with pytest.raises(InputError) as caught:
        refuse_other_recipe(folder, recipe, "student", method)
    assert caught.value.exit_code == 2
    assert "--force" in caught.value.hint
    return caught.value.message


def test_the_keys_that_differ_are_named_with_both_values(recipe: Make, tmp_path: Path) -> None:
    first = recipe()
    folder = finished(tmp_path / "student", first)
    refuse_other_recipe(folder, first, "student", KD)
    second = changed(first, seed=4, image_size=64)
    assert message(folder, second, {**KD, "temperature": 1.0}) == (
        f"{folder} has a finished run of another recipe: seed is 0 there and 4 here; "
        "image_size is 32 there and 64 here; method.temperature is 4.0 there and 1.0 here"
    )
    model = msgspec.to_builtins(first.student) | {"fit": {"epochs": 9}}
    assert "student.fit.epochs is 2 there and 9 here" in message(
        folder, changed(first, student=model)
    )
    assert "finish is none there" in message(folder, changed(first, finish={"epochs": 1}))


def test_what_changes_no_weight_is_no_difference(recipe: Make, tmp_path: Path) -> None:
    first = recipe()
    folder = finished(tmp_path / "student", first)
    trainer = msgspec.to_builtins(first.trainer) | {"threads": 2, "loggers": ["mlflow"]}
    data = first.data | {"root": "/moved"}
    second = changed(first, name="other", trainer=trainer, data=data, policy="fundus")
    refuse_other_recipe(folder, second, "student", KD)
    refuse_other_recipe(folder, changed(first, teacher=None), "student", None)


def test_folders_without_a_finished_run(recipe: Make, tmp_path: Path) -> None:
    second = changed(recipe(), seed=4)
    refuse_other_recipe(tmp_path / "none", second, "student", KD)
    folder = finished(tmp_path / "student", recipe())
    (folder / RECIPE).write_text("{}")  # damaged: it is made again
    assert not is_finished(folder)
    refuse_other_recipe(folder, second, "student", KD)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"data": "b"}, "the list of images, labels and parts is another"),
        ({"teacher": "b"}, "the teacher is another"),
        ({"precision": "bf16"}, "the precision is fp32 there and bf16 here"),
        ({}, "something else is another"),
    ],
)
def test_what_a_recipe_does_not_say(
    recipe: Make, tmp_path: Path, facts: dict[str, str], text: str
) -> None:
    folder = finished(tmp_path / "student", recipe())
    now = {"data": make_card().data.sha256, "teacher": None, "precision": "fp32", **facts}
    with pytest.raises(InputError, match=text):
        refuse_replacing(folder, recipe(), "student", KD, RunFacts(**now))


def test_a_run_of_another_version_is_not_overwritten_either(recipe: Make, tmp_path: Path) -> None:
    folder = finished(tmp_path / "student", recipe())
    card = json.loads((folder / CARD).read_bytes()) | {"format_version": "9.0"}
    (folder / CARD).write_text(json.dumps(card))
    seal_files(folder, [CARD, RECIPE])
    with pytest.raises(InputError, match="another version of edgekd wrote it"):
        refuse_replacing(folder, recipe(), "student", KD, RunFacts("", None, "fp32"))
    assert loss_of(folder) == f"{folder} is replaced"


def test_what_goes_is_said(recipe: Make, tmp_path: Path) -> None:
    folder = finished(tmp_path / "student", recipe())
    card = make_card()
    assert loss_of(folder) == (
        f"{folder} is replaced: {card.arch}, method kd, {card.training.epochs} epochs, seed "
        f"{card.training.seed}, weights {card.weights_sha256[:12]}"
    )
    (tmp_path / "bundles").mkdir()
    assert f"the bundles in {tmp_path / 'bundles'} were built from it" in loss_of(folder)
