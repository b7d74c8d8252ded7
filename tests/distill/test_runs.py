"""Whole runs on a few painted images: what they write, and that they are exact."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from edgekd.distill import pipeline
from edgekd.distill.fit import fit_stage
from edgekd.distill.methods import resolve_method
from edgekd.distill.module import StageModule
from edgekd.distill.samples import Share, load_samples
from edgekd.errors import InputError
from edgekd.models import build_network, load_checkpoint, logits_of
from edgekd.recipe import Recipe, TrainerSection

Make = Callable[..., Recipe]
SSD_KD = {
    "name": "ssd_kd",
    "teacher_head": {"epochs": 2, "batch_size": 16, "optimizer": "adamw", "schedule": "one_cycle"},
}
PLATEAU = {"optimizer": "sgd", "schedule": "plateau", "patience": 1, "learning_rate": 0.01}


def run(recipe: Recipe, out: Path) -> list[str]:
    """Distils; the lines that it says."""
    lines: list[str] = []
    pipeline.distill(pipeline.RunRequest(recipe, out, lines.append))
    return lines


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / "student" / "model.safetensors")


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[key].equal(b[key]) for key in a)


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the teacher of all runs is, once one of them has trained it."""
    return tmp_path_factory.mktemp("teacher")


@pytest.fixture
def taught(recipe: Make, teacher: Path) -> Make:
    """Recipes whose teacher is trained already."""
    if not (teacher / "model.json").is_file():
        pipeline.train(pipeline.RunRequest(recipe(), teacher))
    return lambda **sections: recipe(**{"teacher": {"checkpoint": str(teacher)}, **sections})


def interrupt(monkeypatch: pytest.MonkeyPatch, stage: str, error: type[BaseException]) -> None:
    """The second epoch of a stage ends in an error."""
    begin = StageModule.on_train_epoch_start

    def broken(self: StageModule) -> None:
        if self.stage.name == stage and self.current_epoch == 1:
            raise error
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_epoch_start", broken)


@pytest.mark.parametrize(
    "method",
    ["none", "kd", "dkd", "at", "rkd", "d_kd", "mean_teacher", "crckd", "crckd_cross"],
)
def test_a_run_from_end_to_end(taught, tmp_path, method):
    recipe = taught(method={"name": method})
    run(recipe, tmp_path)
    student = tmp_path / "student"
    metrics = json.loads((student / "metrics.json").read_text())
    assert set(metrics) == {"validation", "test", "teacher"}
    with (student / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "score", "ce"} <= rows[0].keys()
    with (student / "split.csv").open() as stream:
        assert {row["part"] for row in csv.DictReader(stream)} == {"train", "validation", "test"}
    card = load_checkpoint(student).card
    assert (card.training.method, card.training.epochs) == (method, 2)
    assert (card.training.teacher is None) != resolve_method({"name": method})[0].needs_teacher
    assert not leftovers(tmp_path)


def leftovers(out: Path) -> set[str]:
    """Files of a run besides those that it promises: pickles above all."""
    suffixes = {".json", ".csv", ".safetensors"}
    return {file.name for file in out.rglob("*") if file.is_file() and file.suffix not in suffixes}


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
    lines = run(taught(method={**SSD_KD, "ce": 0.5}), tmp_path)
    assert any("teacher_head" in line and "reused" in line for line in lines)
    assert trained == ["student"]

    # It gives what training the head again would have given.
    run(taught(method={**SSD_KD, "ce": 0.5}), tmp_path / "anew")
    assert trained == ["student", "teacher_head", "student"]
    assert same(weights(tmp_path), weights(tmp_path / "anew"))

    # A change that it does depend on trains it again.
    head = {**SSD_KD["teacher_head"], "epochs": 1}
    run(taught(method={**SSD_KD, "teacher_head": head}), tmp_path)
    assert trained[3:] == ["teacher_head", "student"]


def record_stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    trained: list[str] = []
    begin = StageModule.on_train_start

    def noted(self: StageModule) -> None:
        trained.append(self.stage.name)
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_start", noted)
    return trained


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
    better = recipe(student={**msgspec.to_builtins(recipe().teacher)}, method={"name": "crckd"})
    run(better, tmp_path / "better")
    taught = recipe(teacher={"checkpoint": str(tmp_path / "better" / "student")}, method=SSD_KD)
    run(taught, tmp_path)
    student, teacher = (
        load_checkpoint(f) for f in (tmp_path / "student", tmp_path / "better" / "student")
    )
    assert student.card.training.teacher == teacher.card.weights_sha256
    assert teacher.card.training.method == "crckd"
    assert student.card.params < teacher.card.params


def test_fitnet_from_end_to_end(taught, tmp_path):
    run(taught(method={"name": "fitnet", "hint_epochs": 1}), tmp_path)
    with (tmp_path / "student" / "stages" / "hint.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["score"]) > 0


@pytest.mark.parametrize(
    ("method", "fit", "stage", "error"),
    [
        ({"name": "kd"}, {}, "student", RuntimeError),
        ({"name": "kd"}, {}, "student", KeyboardInterrupt),
        ({"name": "d_kd", "select": "objective"}, PLATEAU, "student", RuntimeError),
        ({"name": "crckd", "start": 0}, {}, "student", KeyboardInterrupt),
        (SSD_KD, {}, "teacher_head", RuntimeError),
        (SSD_KD, {}, "student", KeyboardInterrupt),
    ],
)
def test_an_interrupted_run_comes_to_the_same_weights(
    taught, recipe, tmp_path, monkeypatch, method, fit, stage, error
):
    student = {"model": recipe().student.model, "fit": {"epochs": 2, "batch_size": 16, **fit}}
    whole = taught(method=method, student=student, augment={"policy": "dermoscopy"})
    run(whole, tmp_path / "whole")
    with monkeypatch.context() as broken:
        interrupt(broken, stage, error)
        with pytest.raises(error):
            run(whole, tmp_path / "broken")
    assert not (tmp_path / "broken" / "student" / "model.json").exists()
    trained = record_stages(monkeypatch)
    run(whole, tmp_path / "broken")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    assert trained[0] == stage  # nothing before it was trained again
    histories = [
        (tmp_path / name / "student" / "history.csv").read_text() for name in ("whole", "broken")
    ]
    assert histories[0] == histories[1]


def train_once(recipe: Make, out: Path, **changed: Any) -> None:
    """The teacher's network alone, with another network or another `fit`."""
    model = msgspec.to_builtins(recipe().student.model)
    model["options"] |= changed.pop("options", {})
    section = {"model": model, "fit": {"epochs": 1, **changed}}
    pipeline.train(pipeline.RunRequest(recipe(teacher=section), out))


@pytest.mark.parametrize(("epochs", "warmup"), [(5, 0.2), (2, 0.5), (1, 0.5), (1, 0.2), (1, 0.0)])
def test_one_step_an_epoch(recipe, tmp_path, epochs, warmup):
    train_once(recipe, tmp_path, epochs=epochs, warmup=warmup, batch_size=64)
    assert load_checkpoint(tmp_path).card.training.epochs == epochs


@pytest.mark.parametrize("batch_size", [17, 34])
def test_a_last_batch_of_one_image_is_left_out(recipe, tmp_path, batch_size):
    train_once(recipe, tmp_path, batch_size=batch_size)
    assert load_checkpoint(tmp_path).card.data.images["train"] == 35


def test_batches_of_one_image_are_refused_where_they_are_normalised_by(recipe, tmp_path):
    with pytest.raises(InputError, match="normalises by batches") as caught:
        train_once(recipe, tmp_path, batch_size=1)
    assert "fit.batch_size" in caught.value.hint
    assert not (tmp_path / "model.json").exists()
    train_once(recipe, tmp_path, options={"norm_layer": "groupnorm1"}, batch_size=1)


VIT = {"arch": "vit_tiny_patch16_224", "options": {"img_size": 32, "depth": 1}}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"student": {"fit": {"batch_size": 1}}}, "the stage student normalises by batches"),
        ({"student": {"model": VIT}, "method": {"name": "fitnet"}}, "no feature map"),
        ({"teacher": {"model": VIT}, "method": {"name": "at"}}, "no feature map"),
        ({"student": {"model": VIT}, "method": {"name": "rkd"}}, "no feature map"),
        ({"student": {"pretrained": "no.safetensors"}}, "there are no pretrained weights"),
        ({"method": {"name": "skd"}}, "needs subclass labels"),
    ],
)
def test_what_cannot_be_trained_is_told_before_its_teacher_is(recipe, tmp_path, changed, wrong):
    raw = msgspec.to_builtins(recipe())
    for role in ("teacher", "student"):
        own = changed.get(role, {})
        raw[role]["model"] = own.get("model", raw[role]["model"])
        raw[role]["model"]["pretrained"] = own.get("pretrained", "none")
        raw[role]["fit"] |= own.get("fit", {})
    raw["method"] = changed.get("method", raw["method"])
    with pytest.raises(InputError, match=wrong):
        run(recipe(**raw), tmp_path)
    assert not list(tmp_path.iterdir())


def test_several_devices_do_not_wait_for_parameters_that_nothing_depends_on(
    recipe, tmp_path, monkeypatch
):
    def build(*args: Any) -> Any:
        built = build_network(*args)
        built.network.spare = torch.nn.Linear(2, 2)
        return built

    monkeypatch.setattr("edgekd.distill.trial.build_network", build)
    trainer = msgspec.to_builtins(recipe().trainer) | {"devices": 2}
    with pytest.raises(InputError, match=r"2 parameters .*\(spare.weight first\)") as caught:
        run(recipe(trainer=trainer), tmp_path)
    assert "trainer.devices" in caught.value.hint
    run(recipe(method={"name": "none"}), tmp_path)  # alone it does


def test_a_training_that_diverges_stops_there(recipe, tmp_path):
    with pytest.raises(InputError, match="supervised diverged in epoch") as caught:
        train_once(recipe, tmp_path, epochs=2, optimizer="sgd", learning_rate=1e30)
    assert "fit.learning_rate" in caught.value.hint
    assert not (tmp_path / "model.json").exists()


def test_a_stage_of_other_devices_is_not_taken_up(recipe, tmp_path, monkeypatch):
    """Its epoch has another number of steps, which the one cycle counts."""
    keys = []

    def note(work: Path, key: str) -> str:
        keys.append(key)
        raise InterruptedError

    monkeypatch.setattr("edgekd.distill.fit.clear_unless_whole", note)
    for devices, nodes in ((1, 1), (1, 1), (2, 1), (1, 2)):
        section = TrainerSection(accelerator="cpu", devices=devices, nodes=nodes)
        module = SimpleNamespace(stage=SimpleNamespace(name="student"))
        with pytest.raises(InterruptedError):
            fit_stage(module, section, tmp_path, "key")
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


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


def test_more_devices_than_training_images_are_refused(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(StageModule, "_share", lambda self: Share(0, 36))
    with pytest.raises(InputError, match="fewer training images than the 36 devices"):
        train_once(recipe, tmp_path)


def test_seeds(taught, tmp_path):
    for name, seed in (("a", 0), ("again", 0), ("b", 1)):
        run(taught(seed=seed), tmp_path / name)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "again"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_a_finished_run_is_reused_and_a_changed_recipe_trains_again(recipe, tmp_path):
    run(recipe(), tmp_path)
    before = weights(tmp_path)
    assert sum("reused" in line for line in run(recipe(), tmp_path)) == 2
    lines = run(recipe(method={"name": "kd", "temperature": 1.0}), tmp_path)
    assert sum("reused" in line for line in lines) == 1  # the teacher
    assert not same(weights(tmp_path), before)


def test_a_teacher_of_another_split_is_refused(taught, tmp_path):
    with pytest.raises(InputError, match="another split"):
        run(taught(split={"validation": 0.25, "test": 0.2, "seed": 5}), tmp_path)
    assert not (tmp_path / "student").exists()


def test_early_stop_and_its_resumption(taught, recipe, tmp_path, monkeypatch):
    fit = {
        "epochs": 9,
        "batch_size": 16,
        "stop_after": 1,
        "learning_rate": 1e-9,
        "schedule": "steps",
    }
    stopping = taught(student={"model": recipe().student.model, "fit": fit})
    run(stopping, tmp_path)
    card = load_checkpoint(tmp_path / "student").card
    assert card.training.epochs < 9

    # Stopped, then cut off before the stage was wound up: not an epoch more.
    with monkeypatch.context() as broken:
        broken.setattr("edgekd.distill.fit._take_best", fail)
        with pytest.raises(RuntimeError):
            run(stopping, tmp_path / "cut")
    run(stopping, tmp_path / "cut")
    again = load_checkpoint(tmp_path / "cut" / "student").card
    assert again.training.epochs == card.training.epochs
    assert same(weights(tmp_path), weights(tmp_path / "cut"))


def fail(*_: object) -> None:
    raise RuntimeError


def test_a_damaged_kept_stage_is_trained_again(taught, tmp_path, monkeypatch):
    run(taught(method=SSD_KD), tmp_path)
    (tmp_path / "student" / "stages" / "teacher_head.safetensors").write_bytes(b"not tensors")
    trained = record_stages(monkeypatch)
    run(taught(method={**SSD_KD, "ce": 0.5}), tmp_path)
    assert trained == ["teacher_head", "student"]


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
