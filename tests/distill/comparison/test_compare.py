"""Methods beside one another over the same data, split and seeds."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from small_comparisons import Make, run
from typer.testing import CliRunner

from edgekd.cli import app
from edgekd.data import load_dataset
from edgekd.distill.comparison.compare import MAY_DIFFER, CompareRequest, compare
from edgekd.distill.comparison.comparison import comparison_of
from edgekd.distill.comparison.comparison_table import markdown
from edgekd.distill.comparison.predictions import (
    PREDICTIONS,
    ComparedMethod,
    PredictionFacts,
    Predictions,
    TestedPart,
)
from edgekd.errors import ArtefactError, InputError
from edgekd.recipe import Recipe


def eager(make: Make, epochs: int = 6) -> dict[str, Any]:
    """A student that learns enough for methods to differ: else 0 would be held against 0."""
    student = make().student
    fit = msgspec.structs.replace(student.fit, epochs=epochs, learning_rate=0.05)
    return {"student": msgspec.to_builtins(msgspec.structs.replace(student, fit=fit))}


def test_the_table_has_every_method_and_the_undistilled_student(
    recipe: Make, tmp_path: Path
) -> None:
    found, _ = run(recipe, tmp_path, [0, 1], **eager(recipe))
    assert [row.name for row in found.rows] == ["none", "soft", "hints"]
    assert len({row.metrics["balanced_accuracy"].mean for row in found.rows}) > 1
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
    kept = Predictions.load(tmp_path)
    assert comparison_of(kept) == first
    assert [each.name for each in kept.facts.methods] == ["none", "soft", "hints"]
    again = tmp_path / "again.json"
    done = CliRunner().invoke(app, ["compare", "--from", str(tmp_path), "--json", str(again)])
    assert done.exit_code == 0, done.output
    assert json.loads(again.read_text()) == json.loads(msgspec.json.encode(first))
    assert done.stdout == markdown(first)


@pytest.mark.slow
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


OTHER = {
    "task": "multilabel",
    "policy": "none",
    "image_size": 48,
    "data": {"source": "synthetic", "images": 71, "size": 32, "seed": 1},
    "split": {"validation": 0.3, "test": 0.2},
    "augment": {"flip": False},
    "teacher": {"checkpoint": "another"},
    "teachers": [{"checkpoint": "another"}, {"checkpoint": "yet another"}],
    "student": {"model": {"arch": "resnet10t"}, "fit": {"epochs": 3}},
    "finish": {"epochs": 1},
    "trainer": {"accelerator": "cpu", "precision": "bf16", "threads": 1},
}
"""Another value of every section that a recipe has; a new section must come in here."""


def test_every_section_is_compared_or_may_differ() -> None:
    assert {*OTHER, *MAY_DIFFER} == set(Recipe.__struct_fields__)


@pytest.mark.parametrize("section", OTHER)
def test_unequal_recipes_are_refused(recipe: Make, tmp_path: Path, section: str) -> None:
    same = {"teacher": {}} if section == "teachers" else {}  # which have no teacher beside them
    unequal = [recipe(name="a", **same), recipe(name="b", **same, **{section: OTHER[section]})]
    with pytest.raises(InputError, match=f"b and a differ in `{section}"):
        compare(CompareRequest(unequal, [0], tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"trainer": {"accelerator": "cpu", "precision": "bf16"}}, "trainer.precision"),
        ({"augment": {"colour": 0.2}}, "augment.colour"),
        ({"data": {"source": "synthetic", "images": 70}}, "data.size"),
    ],
)
def test_the_key_that_differs_is_named(
    recipe: Make, tmp_path: Path, section: dict[str, object], key: str
) -> None:
    unequal = [recipe(name="a"), recipe(name="b", **section)]
    with pytest.raises(InputError) as caught:
        compare(CompareRequest(unequal, [0], tmp_path))
    assert caught.value.message == f"b and a differ in `{key}`"
    assert caught.value.hint == "compared recipes may differ in name, seed, method"


def test_a_recipe_without_distillation_must_be_equal_too(recipe: Make, tmp_path: Path) -> None:
    plain = recipe(name="plain", method={"name": "none"}, augment={"flip": False})
    with pytest.raises(InputError, match=r"plain and soft differ in `augment.flip`"):
        compare(CompareRequest([recipe(name="soft"), plain], [0], tmp_path))


@pytest.mark.parametrize(
    "names", [("tiny", "tiny"), ("none", "tiny"), ("teacher", "tiny")], ids="-".join
)
def test_recipes_whose_runs_would_share_a_folder_are_refused(
    recipe: Make, tmp_path: Path, names: tuple[str, str]
) -> None:
    with pytest.raises(InputError, match="different names"):
        compare(CompareRequest([recipe(name=name) for name in names], [0], tmp_path))


@pytest.mark.parametrize("name", ["", "..", "../elsewhere", "a/b", PREDICTIONS])
def test_a_name_that_is_no_folder_of_runs_is_refused(
    recipe: Make, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "deep" / "out"
    with pytest.raises(InputError, match="cannot be that of a folder of runs"):
        compare(CompareRequest([recipe(name=name)], [0], out))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", [{"name": "dkd", "beat": 1}, {"name": "skd"}])
def test_a_later_method_that_cannot_be_trained_is_told_before_the_first_one_is(
    recipe: Make, tmp_path: Path, method: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=r"beat|needs subclass labels"):
        compare(CompareRequest([recipe(name="a"), recipe(name="b", method=method)], [0], tmp_path))
    assert not list(tmp_path.iterdir())


def test_more_folds_than_groups_are_told_before_the_first_one_is_trained(
    recipe: Make, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"fold \d+ of 71 .* would have no image") as caught:
        compare(CompareRequest([recipe()], [0], tmp_path, folds=71))
    assert "there are 58 images, lesions or patients" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_notes_of_the_data_are_said_once(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noted(section: dict[str, Any], task: str) -> Any:
        return replace(load_dataset(section, task), notes=("9 images stand alone",))

    monkeypatch.setattr("edgekd.distill.samples.run_samples.load_dataset", noted)
    _, lines = run(recipe, tmp_path, [0])
    assert lines.count("note: 9 images stand alone") == 1


@pytest.mark.parametrize(
    "wrong", [{"labels": [0.5, 1.0]}, {"labels": ["0", "1"]}, {"classes": "a"}]
)
def test_predictions_that_no_comparison_wrote_are_refused(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    facts = PredictionFacts(
        data="d", classes=("a", wrong.get("classes", "b")), ordered=False, images={"test": 2},
        split_sha256="", methods=(ComparedMethod(name="none", method="none"),), seeds=(0,),
    )  # fmt: skip
    labels = np.array(wrong.get("labels", [0, 1]))
    part = TestedPart(labels, np.arange(2), np.zeros((1, 1, 2, 2), np.float32))
    Predictions(facts, (part,)).save(tmp_path / PREDICTIONS)
    with pytest.raises(ArtefactError, match="holds no predictions"):
        Predictions.load(tmp_path)


def test_an_empty_test_part_is_refused(recipe: Make, tmp_path: Path) -> None:
    untested = recipe(split={"validation": 0.25, "test": 0.0})
    with pytest.raises(InputError, match="the test part of synthetic-1-70-32-1 is empty"):
        compare(CompareRequest([untested], [0], tmp_path))


@pytest.fixture
def graded(tmp_path: Path) -> dict[str, object]:
    """Forty images of four grades, darker from grade to grade."""
    rows = ["image,grade,patient"]
    for number in range(40):
        level = 60 * (number % 4) + 2 * (number // 4)
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((32, 32, 3), level, np.uint8))
        rows.append(f"{number}.png,g{number % 4},p{number // 8}-{number % 4}")
    (tmp_path / "grades.csv").write_text("\n".join(rows) + "\n")
    return {
        "source": "csv", "file": str(tmp_path / "grades.csv"), "label_column": "grade",
        "group_column": "patient", "classes": ["g0", "g1", "g2", "g3"], "ordered": True,
    }  # fmt: skip


def test_folds_test_every_image_once(recipe: Make, graded: object, tmp_path: Path) -> None:
    out, lines = tmp_path / "out", []
    chosen = [recipe(name="soft", data=graded, method={"name": "kd"})]
    request = CompareRequest(chosen, [0, 1], out, lines.append, folds=2)
    found = compare(request)
    assert found.folds == 2
    assert sorted(path.name for path in out.iterdir()) == ["fold-0", "fold-1", PREDICTIONS]
    tested: list[str] = []
    scores = []
    for fold in ("fold-0", "fold-1"):
        for seed in (0, 1):
            folder = out / fold / "soft" / f"seed-{seed}" / "student"
            metrics = json.loads((folder / "metrics.json").read_text())
            scores.append(metrics["test"]["quadratic_kappa"]["value"])
        rows = csv.DictReader((folder / "split.csv").read_text().splitlines())
        tested += [row["image"] for row in rows if row["part"] == "test"]
    assert sorted(tested) == sorted(f"{number}.png" for number in range(40))
    spread = found.rows[1].metrics["quadratic_kappa"]
    assert spread.mean == pytest.approx(np.mean(scores))
    assert spread.sd == pytest.approx(np.std(scores, ddof=1))
    assert set(found.teacher) == set(found.rows[0].metrics)
    assert "soft, seed 1, fold 2 of 2" in lines
    assert compare(request) == found
    assert sum("reused" in line for line in lines) == 2 * (1 + 2 * 2)
    kept = Predictions.load(out / PREDICTIONS)
    assert comparison_of(kept) == found
    assert kept.groups.size == 40
    assert np.unique(kept.groups).size == 20  # patients


def test_a_recipe_without_distillation_is_the_undistilled_one(recipe: Make, tmp_path: Path) -> None:
    plain = recipe(name="plain", method={"name": "none"})
    found = compare(CompareRequest([recipe(name="soft"), plain], [0], tmp_path))
    assert [row.name for row in found.rows] == ["none", "soft"]


def test_grades_have_a_column_of_kappa(recipe: Make, graded: object, tmp_path: Path) -> None:
    soft_recipe = recipe(name="soft", data=graded, **eager(recipe, epochs=24))
    found = compare(CompareRequest([soft_recipe], [0], tmp_path / "out"))
    none, soft = found.rows
    assert none.kappa_versus_undistilled is None
    difference = soft.metrics["quadratic_kappa"].mean - none.metrics["quadratic_kappa"].mean
    assert difference != 0
    assert soft.kappa_versus_undistilled is not None
    assert soft.kappa_versus_undistilled.value == pytest.approx(difference)
    head, *lines = [line for line in markdown(found).splitlines() if line.startswith("|")]
    assert "| κ² |" in head
    assert "| κ² − none [95 %] |" in head
    assert {line.count("|") for line in lines} == {head.count("|")}


@pytest.mark.slow
def test_classes_without_an_order_have_no_kappa(recipe: Make, tmp_path: Path) -> None:
    found, _ = run(recipe, tmp_path, [0])
    assert "quadratic_kappa" not in found.rows[0].metrics
    assert "κ" not in markdown(found)


def test_a_trained_teacher_would_have_seen_the_other_folds(recipe: Make, tmp_path: Path) -> None:
    trained = recipe(name="soft", teacher={"checkpoint": str(tmp_path)})
    with pytest.raises(InputError, match="has seen the test images of other folds"):
        compare(CompareRequest([trained], [0], tmp_path, folds=3))


@pytest.mark.parametrize("folds", ["1", "-2"])
def test_a_number_of_folds_that_is_none(folds: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["compare", "demo", "--out", str(tmp_path), "--folds", folds])
    assert isinstance(done.exception, InputError)
    assert f"--folds {folds} are none" in done.exception.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo"], "recipes and --out are needed"),
        (["--out", "runs"], "recipes and --out are needed"),
        (["demo", "--from", "runs"], "--from takes no recipes"),
        (["--from", "runs", "--seeds", "0,1"], "--from takes no recipes"),
        (["--from", "nowhere"], "there are no predictions at nowhere"),
        (["demo", "--out", "runs", "--seeds", "0,-1"], "--seeds 0,-1 are no seeds"),
        (["demo", "--out", "runs", "--seeds", "4294967296"], "--seeds 4294967296 are no seeds"),
        (["demo", "--out", "runs", "--seeds", "0,0"], "name one twice"),
    ],
)
def test_what_cannot_be_compared(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["compare", *arguments])
    assert isinstance(done.exception, InputError)
    assert message in done.exception.message
    assert done.exception.hint
    assert not list(tmp_path.iterdir())
