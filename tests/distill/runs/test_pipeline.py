"""Whole runs on a few painted images: what they write, and that they are exact."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_runs import SSD_KD, leftovers, record_stages, run, same, weights

from edgekd.distill.methods import resolve_method
from edgekd.distill.runs import pipeline
from edgekd.distill.samples.run_samples import load_samples
from edgekd.errors import InputError
from edgekd.metrics.task import metrics_task
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import Recipe, convert


def test_ssd_kd_from_end_to_end(taught, tmp_path, monkeypatch):
    lines = run(taught(method=SSD_KD), tmp_path)
    stages = tmp_path / "student" / "stages"
    assert {file.name for file in stages.iterdir()} == {
        "teacher_head.safetensors",
        "teacher_head.csv",
        "seal.json",
    }
    assert not leftovers(tmp_path)
    assert not any("reused" in line for line in lines)

    # The exported network is the student alone.
    plain = tmp_path / "plain"
    run(taught(), plain)
    assert weights(tmp_path).keys() == weights(plain).keys()

    # The whole run is there already.
    before = (tmp_path / "student" / "model.safetensors").stat().st_mtime_ns
    assert any(
        "student" in line and "reused" in line for line in run(taught(method=SSD_KD), tmp_path)
    )
    assert (tmp_path / "student" / "model.safetensors").stat().st_mtime_ns == before

    # A change that the teacher's head does not depend on leaves it as it is.
    trained = record_stages(monkeypatch)
    lines = run(taught(method={**SSD_KD, "ce": 0.5}), tmp_path, force=True)
    assert any("teacher_head" in line and "reused" in line for line in lines)
    assert trained == ["student"]

    # It gives what training the head again would have given.
    run(taught(method={**SSD_KD, "ce": 0.5}), tmp_path / "anew")
    assert trained == ["student", "teacher_head", "student"]
    assert same(weights(tmp_path), weights(tmp_path / "anew"))

    # A change that it does depend on trains it again.
    head = {**SSD_KD["teacher_head"], "epochs": 1}
    run(taught(method={**SSD_KD, "teacher_head": head}), tmp_path, force=True)
    assert trained[3:] == ["teacher_head", "student"]


@pytest.mark.parametrize(
    ("method", "stripped"), [(SSD_KD, "student_head"), ({"name": "crckd"}, "average")]
)
def test_the_saved_student_is_the_trained_one_bit_for_bit(
    taught, tmp_path, monkeypatch, method, stripped
):
    kind, _ = resolve_method(method)
    made = []
    build = kind.__init__

    def noted(self, *args):
        build(self, *args)
        made.append(self)

    monkeypatch.setattr(kind, "__init__", noted)
    recipe = taught(method=method)
    run(recipe, tmp_path)
    images = load_samples(recipe).images[:20]
    trained = logits_of(made[-1].student, images)
    saved = logits_of(load_checkpoint(tmp_path / "student").normalised(), images)
    assert getattr(made[-1], stripped) is not None
    assert set(weights(tmp_path)) == set(made[-1].student.network.state_dict())
    assert (trained == saved).all()


def test_a_network_that_crckd_trained_teaches_a_smaller_one(recipe, tmp_path):
    better = recipe(
        student={**msgspec.to_builtins(recipe().teacher.network())}, method={"name": "crckd"}
    )
    run(better, tmp_path / "better")
    taught = recipe(teacher={"checkpoint": str(tmp_path / "better" / "student")}, method=SSD_KD)
    run(taught, tmp_path)
    student, teacher = (
        load_checkpoint(f) for f in (tmp_path / "student", tmp_path / "better" / "student")
    )
    assert student.card.training.teacher == teacher.card.weights_sha256
    assert teacher.card.training.method == "crckd"
    assert student.card.params < teacher.card.params


def test_a_shipped_student_teaches_by_its_name(taught, teacher, tmp_path, monkeypatch):
    recipe = taught(teacher={"checkpoint": "small"})
    shutil.copytree(teacher, tmp_path / "students" / "small")
    (tmp_path / "students" / "small" / "certificates").mkdir()
    monkeypatch.setenv("EDGEKD_STUDENTS", str(tmp_path / "students"))
    run(recipe, tmp_path)
    student, named = load_checkpoint(tmp_path / "student"), load_checkpoint(teacher)
    assert student.card.training.teacher == named.card.weights_sha256
    assert not (tmp_path / "teacher").exists()
    assert '"checkpoint": "small"' in (tmp_path / "student" / "recipe.json").read_text()
    monkeypatch.delenv("EDGEKD_STUDENTS")
    with pytest.raises(InputError, match="no checkpoint at small"):
        run(recipe, tmp_path / "unknown")


def test_fitnet_from_end_to_end(taught, tmp_path):
    run(taught(method={"name": "fitnet", "hint_epochs": 1}), tmp_path)
    with (tmp_path / "student" / "stages" / "hint.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["score"]) > 0


def test_lengths_in_epochs_that_exceed_the_run_are_told(taught, tmp_path):
    curriculum = {"curriculum": "global", "epochs": 3}
    lines = run(taught(method={"name": "fitnet", "hint_epochs": 3, "temperature": curriculum}),
                tmp_path / "long")  # fmt: skip
    assert sum("over 3 epochs, and the run has 2" in line for line in lines) == 1
    assert sum("the hint takes 3 epochs, more than the 2" in line for line in lines) == 1
    curriculum = {"curriculum": "global", "epochs": 2}
    lines = run(taught(method={"name": "fitnet", "hint_epochs": 2, "temperature": curriculum}),
                tmp_path / "fitting")  # fmt: skip
    assert not any("epochs, " in line for line in lines)


def test_seeds(taught, tmp_path):
    for name, seed in (("a", 0), ("again", 0), ("b", 1)):
        run(taught(seed=seed), tmp_path / name)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "again"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_a_finished_run_is_reused_and_a_changed_recipe_replaces_it_on_demand(recipe, tmp_path):
    lines = run(recipe(), tmp_path)
    assert not any("test balanced" in line for line in lines)  # its figures stay unseen
    assert any(line.startswith("student: validation balanced accuracy") for line in lines)
    before = weights(tmp_path)
    assert sum("reused" in line for line in run(recipe(), tmp_path)) == 2
    changed = recipe(method={"name": "kd", "temperature": 1.0})
    with pytest.raises(InputError, match=r"method\.temperature is 4\.0 there and 1\.0 here"):
        run(changed, tmp_path)
    assert same(weights(tmp_path), before)
    lines = run(changed, tmp_path, force=True)
    assert sum(line.endswith("; reused") for line in lines) == 1  # the teacher
    assert sum("student is replaced: resnet10t, method kd" in line for line in lines) == 1
    assert not same(weights(tmp_path), before)


def test_a_teacher_of_another_split_is_refused(taught, teacher, tmp_path):
    other = {"validation": 0.25, "test": 0.2, "seed": 5}
    with pytest.raises(InputError, match="another split") as caught:
        run(taught(split=other), tmp_path)
    assert not (tmp_path / "student").exists()
    assert (caught.value.hint or "").startswith("use the teacher's `data` and `split`")
    for name in ("model.json", "model.safetensors"):
        shutil.copy(teacher / name, tmp_path)
    with pytest.raises(InputError, match="another split") as caught:
        run(taught(split=other, teacher={"checkpoint": str(tmp_path)}), tmp_path)
    assert (caught.value.hint or "").startswith("copy its split.csv too")


def test_a_teacher_of_more_training_images_may_teach(taught, recipe, tmp_path):
    """It was made without the images that the student is judged on, as its list of them says."""
    kept = msgspec.structs.replace(recipe().split, train_share=0.5)
    run(taught(split=kept), tmp_path)
    assert load_checkpoint(tmp_path / "student").card.training.teacher


def test_frozen_teachers_stay_as_they_are(taught, teacher, tmp_path):
    before = load_file(teacher / "model.safetensors")
    run(taught(method=SSD_KD), tmp_path)
    assert same(before, load_file(teacher / "model.safetensors"))
    assert torch.is_grad_enabled()


@pytest.mark.slow
def test_the_demo_of_ssd_kd(tmp_path):
    from edgekd.recipe import load_recipe

    recipe = load_recipe("demo-ssd-kd", ["trainer.threads=1", "trainer.accelerator=cpu"])
    run(recipe, tmp_path)
    card = load_checkpoint(tmp_path / "student").card
    metrics = json.loads((tmp_path / "student" / "metrics.json").read_text())
    assert card.training.method == "ssd_kd"
    assert metrics["test"]["balanced_accuracy"]["value"] > 0.3  # of seven classes


@pytest.mark.parametrize(
    "name", ["isic2019-ssd-kd", "ham10000-ssd-kd", "ham10000-d-kd", "demo-ssd-kd"]
)
def test_shipped_recipes_are_valid(name):
    from edgekd.recipe import load_recipe

    recipe = load_recipe(name)
    _, config = resolve_method(recipe.method)
    assert config is not None
    assert recipe.student.model is not None


@pytest.mark.parametrize("run", [lambda r: pipeline.train(r, "teacher"), pipeline.distill])
def test_training_says_the_notes_of_its_data(run, tmp_path: Path) -> None:
    lines = ["image,label,patient"]
    for number in range(24):
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 20, 3), number, np.uint8))
        lines.append(f"{number}.png,{'ab'[number % 2]},{'NA' if number < 9 else f'P{number}'}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    data = {"source": "csv", "file": str(tmp_path / "t.csv"), "group_column": "patient"}
    roles = {role: {"model": {"arch": "no-such-network"}} for role in ("teacher", "student")}
    recipe = convert({"name": "x", "image_size": 16, "data": data, **roles}, Recipe, "here")
    said: list[str] = []
    with pytest.raises(InputError, match="no-such-network"):
        run(pipeline.RunRequest(recipe, tmp_path / "out", said.append))
    assert said[0] == (
        "note: 9 images without a lesion or patient (9 'NA') stand alone in the split"
    )


def test_a_student_of_adjusted_logits_is_judged_and_used_without_them(taught, tmp_path):
    """The score of the best epoch is that of the checkpoint's own outputs, not of shifted ones."""
    told_apart = []
    for method in ({"name": "none"}, {"name": "kd", "weight": 0.1}):
        raw = msgspec.to_builtins(taught(method=method))
        raw["student"]["fit"] |= {
            "logit_adjustment": 3.0, "class_weights": "none", "epochs": 24, "learning_rate": 0.05
        }  # fmt: skip
        adjusted, out = convert(raw, Recipe, "the test's recipe"), tmp_path / method["name"]
        run(adjusted, out)
        student = load_checkpoint(out / "student")
        images, targets = load_samples(adjusted).part("validation")
        outputs = logits_of(student.normalised(), images)
        lines = (out / "student" / "history.csv").read_text().splitlines()
        best = list(csv.DictReader(lines))[student.card.training.best_epoch - 1]
        selection = metrics_task(adjusted.task).selection
        assert float(best["score"]) == pytest.approx(selection(outputs, targets))
        shift = load_samples(adjusted).adjustment(adjusted.student.fit).numpy()
        told_apart.append(
            float(best["score"]) != pytest.approx(selection(outputs + shift, targets))
        )
    assert any(told_apart)  # one of the two may have the same score by chance


@pytest.mark.parametrize("fit", [{"loss": "focal"}, {"loss": "multi_weighted_focal"}])
def test_another_loss_is_another_training(taught, tmp_path, fit):
    plain = taught(method={"name": "none"})
    raw = msgspec.to_builtins(plain)
    raw["student"]["fit"] |= fit
    for recipe, name in ((plain, "plain"), (convert(raw, Recipe, "it"), "other")):
        run(recipe, tmp_path / name)
    assert not same(weights(tmp_path / "plain"), weights(tmp_path / "other"))
