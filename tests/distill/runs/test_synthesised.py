"""Distillation without images, from the recipe to the student and the images that it saw."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from small_runs import run, same, weights

from edgekd.cli import main
from edgekd.data import load_dataset
from edgekd.distill.runs import pipeline
from edgekd.distill.runs.synthesised import FOLDER, KEPT, LABELS, NOTE, SHEET
from edgekd.errors import InputError
from edgekd.models import read_card
from edgekd.models.card import has_images, read_own_split
from edgekd.recipe import Recipe

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
NONE = {"source": "none", "classes": list(CLASSES)}
METHODS: dict[str, dict[str, Any]] = {
    "cgdd": {"name": "cgdd", "steps": 3, "latent": 8, "width": 4},
    "fastdfkd": {
        "name": "fastdfkd", "steps": 3, "latent": 8, "width": 4, "iterations": 2, "warmup": 1,
    },
}  # fmt: skip
Make = Callable[..., Recipe]


@pytest.mark.parametrize("name", METHODS)
def test_a_student_is_distilled_without_any_image(name: str, taught: Make, tmp_path: Path):
    lines = run(taught(data=NONE, method=METHODS[name]), tmp_path)
    card = read_card(tmp_path / "student")
    assert card.classes == CLASSES
    assert card.data.images == {"train": 0, "validation": 0, "test": 0}
    assert card.training.best_epoch == card.training.epochs == 2
    assert not has_images(tmp_path / "student")
    with pytest.raises(InputError, match="distilled without images") as caught:
        read_own_split(tmp_path / "student", card)
    assert "build --data FILE.csv" in caught.value.hint
    metrics = json.loads((tmp_path / "student" / "metrics.json").read_text())
    assert not {"validation", "test"} & metrics.keys()
    folder = tmp_path / "student" / FOLDER
    assert any(str(folder / SHEET) in line for line in lines)
    assert cv2.imread(str(folder / SHEET)) is not None
    assert "No camera took these images" in (folder / NOTE).read_text()
    with (folder / LABELS).open() as stream:
        rows = list(csv.DictReader(stream))
    made = {"cgdd": KEPT, "fastdfkd": 3 * 16}[name]  # the warm-up's batch, and one an epoch
    assert len(rows) == made
    assert {row["label"] for row in rows} == set(CLASSES)


@pytest.mark.slow
def test_its_bundle_is_not_certified(taught: Make, tmp_path: Path):
    run(taught(data=NONE, method=METHODS["fastdfkd"]), tmp_path / "run")
    out = tmp_path / "bundles"
    arguments = ["build", "--model", str(tmp_path / "run"), "--target", "cpu-onnx"]
    assert main([*arguments, "--out", str(out), "--research"]) == 0
    (manifest,) = out.rglob("manifest.json")
    certificate = json.loads(manifest.read_text())["certificate"]
    assert not certificate["certified"]


def test_the_images_are_a_data_set(taught: Make, tmp_path: Path):
    run(taught(data=NONE, method=METHODS["fastdfkd"]), tmp_path)
    section = {"source": "csv", "file": str(tmp_path / "student" / FOLDER / LABELS)}
    dataset = load_dataset(section)
    assert dataset.classes == CLASSES
    assert cv2.imread(str(dataset.paths()[0])).shape == (32, 32, 3)


@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_run_continues_exactly(name: str, taught: Make, tmp_path: Path):
    recipe = taught(data=NONE, method=METHODS[name])
    run(recipe, tmp_path / "whole")

    class StoppedError(Exception):
        pass

    def stop(epoch: int, score: float) -> None:
        if epoch == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        pipeline.distill(pipeline.RunRequest(recipe, tmp_path / "other", after_epoch=stop))
    lines: list[str] = []
    pipeline.distill(pipeline.RunRequest(recipe, tmp_path / "other", lines.append))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "other"))


def test_a_method_with_images_makes_none(taught: Make, tmp_path: Path):
    run(taught(method={"name": "kd"}), tmp_path)
    assert not (tmp_path / "student" / FOLDER).exists()


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"method": {"name": "kd"}}, "the method kd learns from images", "cgdd, fastdfkd"),
        ({"finish": {"quantisation": "int8"}}, "`finish` needs images", "remove `finish`"),
    ],
)
def test_what_needs_images_is_refused(changes, message, hint, taught: Make, tmp_path: Path):
    recipe = taught(**{"data": NONE, "method": METHODS["cgdd"], **changes})
    with pytest.raises(InputError, match=message) as caught:
        run(recipe, tmp_path)
    assert hint in caught.value.hint


def test_a_teacher_is_not_trained_on_nothing(recipe: Make, tmp_path: Path):
    with pytest.raises(InputError, match="the teacher is trained on images") as caught:
        run(recipe(data=NONE, method=METHODS["cgdd"]), tmp_path)
    assert "teacher.checkpoint" in caught.value.hint


def test_a_lowered_teacher_has_no_gradients(taught: Make, tmp_path: Path):
    recipe = taught(data=NONE, method=METHODS["cgdd"])
    checkpoint = recipe.teacher.checkpoint
    recipe = taught(
        data=NONE, method=METHODS["cgdd"],
        teacher={"checkpoint": checkpoint, "engine": "openvino"},
    )  # fmt: skip
    with pytest.raises(InputError, match="takes gradients through the teacher's layers"):
        run(recipe, tmp_path)
