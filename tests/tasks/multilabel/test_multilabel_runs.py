"""Recipes of findings that may occur together: from a table to a student, by the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ham10000_findings import RECIPE, needs_ham10000, write_table

from edgekd.cli import main
from edgekd.metrics.task import metrics_task
from edgekd.models import load_checkpoint, logits_of, read_card
from edgekd.models.card import read_own_split

FINDINGS = ("dark", "red", "stripes")
IMAGES, SIDE = 120, 32


def network_of(*channels: int) -> dict[str, Any]:
    options = {"channels": list(channels), "stem_width": 8, "act_layer": "relu6"}
    return {"arch": "resnet10t", "options": options}


def draw(present: dict[str, bool], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """BGR: dark halves the light, red adds red, stripes are horizontal lines."""
    image = rng.normal(150.0, 10.0, (SIDE, SIDE, 3))
    if present["red"]:
        image[:, :, 2] += 70
    if present["stripes"]:
        image[::4] -= 90
    return np.clip(image * (0.5 if present["dark"] else 1.0), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with all combinations of three findings, and their table in both forms."""
    folder, rng = tmp_path_factory.mktemp("findings"), np.random.default_rng(0)
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "label", *FINDINGS))
        for number in range(IMAGES):
            present = {name: bool(rng.random() < 0.4) for name in FINDINGS}
            cv2.imwrite(str(folder / f"{number}.png"), draw(present, rng))
            names = ";".join(name for name in FINDINGS if present[name])
            writer.writerow((f"{number}.png", names or "none", *map(int, present.values())))
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def recipe(table: Path) -> Path:
    fit = {"epochs": 12, "batch_size": 8, "learning_rate": 1.0e-2}
    raw = {
        "name": "findings",
        "task": "multilabel",
        "policy": "none",
        "image_size": SIDE,
        "data": {"source": "csv", "file": str(table), "label_columns": list(FINDINGS)},
        "split": {"validation": 0.25, "test": 0.25},
        "augment": {"colour": 0.0},
        "teacher": {"model": network_of(8, 16, 16, 32), "fit": fit},
        "student": {"model": network_of(8, 8, 16, 16), "fit": fit},
        "method": {"name": "kd", "weight": 0.3},
        "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
    }
    file = table.parent / "recipe.yaml"
    file.write_text(json.dumps(raw))  # which is YAML
    return file


@pytest.fixture(scope="module")
def run(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKD_CACHE", str(out / "cache"))
        assert main(["distill", str(recipe), "--out", str(out)]) == 0
    return out


def test_the_student_learns_its_findings(run: Path) -> None:
    """The painted findings are plain to see; chance is 0.5."""
    card = read_card(run / "student")
    assert (card.task, card.classes, card.head, card.outputs) == ("multilabel", FINDINGS, 3, 3)
    assert card.policy is not None
    assert card.policy["name"] == "none"
    split = read_own_split(run / "student", card)
    chosen = split.indices("test")
    images = np.stack([cv2.imread(str(path))[:, :, ::-1] for path in split.dataset.paths(chosen)])
    outputs = logits_of(load_checkpoint(run / "student").normalised(), images)
    targets = split.dataset.targets()[chosen]
    assert outputs.shape == targets.shape == (len(chosen), 3)
    score = metrics_task("multilabel").selection(outputs, targets)
    assert score > 0.75
    written = json.loads((run / "student" / "metrics.json").read_text())
    assert written["test"]["balanced_accuracy"]["value"] == pytest.approx(score)
    assert set(written["test"]["per_class"]) == set(FINDINGS)
    assert set(written["teacher"]["test"]["per_class"]) == set(FINDINGS)


def test_the_other_form_of_the_table_is_the_same_run(
    run: Path, recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKD_CACHE", str(run / "cache"))
    column = ["--set", "data={source: csv, file: %s, classes: [dark, red, stripes]}"]
    column[1] %= recipe.parent / "labels.csv"
    assert main(["distill", str(recipe), *column, "--out", str(run)]) == 0
    assert capsys.readouterr().err.count("reused") == 2


def test_a_teacher_of_another_task_is_refused(
    run: Path, recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKD_CACHE", str(run / "cache"))
    file = run / "classified" / "labels.csv"
    file.parent.mkdir()
    images = [f"{recipe.parent}/{number}.png" for number in range(IMAGES)]
    text = [f"{image},{FINDINGS[number % 3]}" for number, image in enumerate(images)]
    file.write_text("\n".join(["image,label", *text]) + "\n")
    changes = [
        "task=classification", f"data={{source: csv, file: {file}}}",
        f"teacher={{checkpoint: {run / 'teacher'}}}",
    ]  # fmt: skip
    options = [part for change in changes for part in ("--set", change)]
    assert main(["distill", str(recipe), *options, "--out", str(run / "other")]) == 2
    error = capsys.readouterr().err
    assert "was trained for the task multilabel" in error
    assert "classification" in error


@pytest.mark.parametrize("verb", ["distill", "compare"])
def test_what_needs_exclusive_classes_is_refused_before_images_are_decoded(
    recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    method = ["--set", "method.name=dkd"] if verb == "distill" else []
    assert main([verb, str(recipe), *method, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    subject = "the method dkd" if verb == "distill" else "edgekd compare"
    assert f"{subject} does not serve the task multilabel" in error
    assert "exactly one class for each image" in error
    assert not (tmp_path / "cache").exists()
    assert not list((tmp_path / "run").glob("**/*.json"))


@needs_ham10000
@pytest.mark.slow
def test_real_photos_with_diagnosis_and_proof_as_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of the lesions: the interval of the student's balanced accuracy lies above 0.5."""
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    table = write_table(tmp_path, every=4)
    changes = ["--set", f"data.file={table}"]
    assert main(["distill", str(RECIPE), *changes, "--out", str(tmp_path / "run")]) == 0
    card = read_card(tmp_path / "run" / "student")
    assert card.classes == (
        "akiec", "bcc", "bkl", "confocal", "consensus", "df", "follow_up", "histo", "mel", "nv",
        "vasc",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "run" / "student" / "metrics.json").read_text())
    assert metrics["test"]["balanced_accuracy"]["low"] > 0.55
    assert metrics["test"]["per_class"]["nv"]["sensitivity"]["value"] > 0.6
    assert metrics["test"]["per_class"]["nv"]["specificity"]["value"] > 0.6
