"""What a stage leaves behind is its best epoch's weights, not its last one's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from small_runs import run, same, weights
from torch import Tensor

from edgekd.distill.methods.none import Supervised
from edgekd.distill.runs import pipeline
from edgekd.distill.training.fit import fit_stage
from edgekd.distill.training.module import StageModule, trained_state
from edgekd.models import load_checkpoint
from edgekd.recipe import Recipe, TrainerSection, convert
from edgekd.tasks.classification.metrics import Metrics

EPOCHS = 4


TINY = {"arch": "resnet10t", "options": {"channels": [4, 4, 8, 8], "stem_width": 4}}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    raw = {
        "name": "tiny",
        "image_size": 32,
        "data": {"source": "synthetic", "images": 70, "size": 32, "seed": 1},
        "split": {"validation": 0.25, "test": 0.2},
        "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
        "student": {"model": TINY, "fit": {"epochs": EPOCHS, "batch_size": 16}},
        "method": {"name": "none"},
    }
    return convert(raw, Recipe, "the test's recipe")


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The student's weights after each epoch."""
    seen: list[dict[str, Tensor]] = []
    end = StageModule.on_validation_epoch_end

    def noted(self: StageModule) -> None:
        end(self)
        student = self.method.student
        seen.append({k: t.clone() for k, t in trained_state(student, (student,)).items()})

    monkeypatch.setattr(StageModule, "on_validation_epoch_end", noted)
    return seen


def test_the_highest_score_is_kept(
    tiny: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, monkeypatch: Any
) -> None:
    scores = iter([0.3, 0.9, 0.5, 0.8])
    monkeypatch.setattr(Metrics, "selection", lambda *_: next(scores))
    assert_kept(tiny, epochs, tmp_path, best=1)


def test_the_last_epoch_is_kept_where_the_recipe_says_so(
    tiny: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, monkeypatch: Any
) -> None:
    scores = iter([0.3, 0.9, 0.5, 0.4])
    monkeypatch.setattr(Metrics, "selection", lambda *_: next(scores))
    assert tiny.student is not None
    fit = msgspec.structs.replace(tiny.student.fit, keep="last")
    student = msgspec.structs.replace(tiny.student, fit=fit)
    last = msgspec.structs.replace(tiny, student=student)
    assert_kept(last, epochs, tmp_path, best=EPOCHS - 1)
    card = load_checkpoint(tmp_path / "run" / "student").card
    assert card.training.best_epoch == EPOCHS


def test_the_lowest_objective_is_kept(
    tiny: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, monkeypatch: Any
) -> None:
    losses = iter([0.7, 0.9, 0.2, 0.8])
    monkeypatch.setattr(StageModule, "_mean_loss", lambda _: next(losses))
    stages = Supervised.stages

    def judged(self: Supervised) -> Any:
        (stage,) = stages(self)
        return (replace(stage, criterion=stage.objective),)

    monkeypatch.setattr(Supervised, "stages", judged)
    assert_kept(tiny, epochs, tmp_path, best=2)


def test_the_average_of_the_weights_is_validated_and_kept(
    tiny: Recipe, tmp_path: Path, monkeypatch: Any
) -> None:
    fit = {"epochs": 2, "batch_size": 16, "average": 0.8}
    averaged = convert(
        msgspec.to_builtins(tiny) | {"student": {"model": TINY, "fit": fit}}, Recipe, "the test's"
    )
    validated: list[dict[str, Tensor]] = []
    trained: list[dict[str, Tensor]] = []

    def state_of(module: StageModule) -> dict[str, Tensor]:
        network = module.method.student.network
        return {name: tensor.clone() for name, tensor in network.state_dict().items()}

    monkeypatch.setattr(
        StageModule, "_metric", lambda self: validated.append(state_of(self)) or len(validated)
    )
    monkeypatch.setattr(
        StageModule, "on_train_epoch_end", lambda self: trained.append(state_of(self))
    )
    pipeline.distill(pipeline.RunRequest(averaged, tmp_path / "run", lambda line: None))
    kept = load_file(tmp_path / "run" / "student" / "model.safetensors")
    assert same(kept, validated[-1])
    assert not same(kept, trained[-1])
    for name, tensor in kept.items():  # running statistics too; how many batches is the same
        assert tensor.equal(trained[-1][name]) == name.endswith("num_batches_tracked")
    monkeypatch.undo()
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    plain = convert(
        msgspec.to_builtins(averaged)
        | {"student": {"model": TINY, "fit": fit | {"average": 0.0}}}, Recipe, "the test's",
    )  # fmt: skip
    pipeline.distill(pipeline.RunRequest(plain, tmp_path / "plain", lambda line: None))
    history = [(tmp_path / run / "student" / "history.csv").read_text().splitlines()[1:] for run in
               ("run", "plain")]  # fmt: skip
    losses = [[row.split(",")[1] for row in rows] for rows in history]
    assert losses[0] == losses[1]  # following the weights does not change them


@pytest.mark.parametrize("clip", [0.0, 1e-3])
def test_a_clipped_gradient_moves_the_weights_by_no_more(
    tiny: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, clip: float
) -> None:
    """Of SGD alone, no step is longer than the rate times the largest norm of the gradient."""
    fit = {"epochs": 2, "batch_size": 16, "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0,
           "learning_rate": 0.1, "clip": clip}  # fmt: skip
    raw = msgspec.to_builtins(tiny) | {"student": {"model": TINY, "fit": fit}}
    pipeline.distill(pipeline.RunRequest(convert(raw, Recipe, "the test's recipe"), tmp_path))
    trained = [n for n in epochs[0] if n.endswith(("weight", "bias"))]
    moved = torch.cat([(epochs[1][name] - epochs[0][name]).flatten() for name in trained]).norm()
    steps = 38 // 16
    longest = steps * 0.1 * 1e-3
    assert (moved <= longest) == (clip > 0)


def assert_kept(recipe: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, best: int) -> None:
    pipeline.distill(pipeline.RunRequest(recipe, tmp_path / "run", lambda line: None))
    kept = load_file(tmp_path / "run" / "student" / "model.safetensors")
    assert len(epochs) == EPOCHS
    same = [
        all(any(tensor.equal(other) for other in kept.values()) for tensor in epoch.values())
        for epoch in epochs
    ]
    assert same == [epoch == best for epoch in range(EPOCHS)]


def test_a_stage_of_other_devices_is_not_taken_up(recipe, tmp_path, monkeypatch):
    """Its epoch has another number of steps, which the one cycle counts."""
    keys = []

    def note(work: Path, key: str) -> str:
        keys.append(key)
        raise InterruptedError

    monkeypatch.setattr("edgekd.distill.training.fit.clear_unless_whole", note)
    for devices, nodes in ((1, 1), (1, 1), (2, 1), (1, 2)):
        section = TrainerSection(accelerator="cpu", devices=devices, nodes=nodes)
        module = SimpleNamespace(stage=SimpleNamespace(name="student"))
        with pytest.raises(InterruptedError):
            fit_stage(module, section, tmp_path, "key")
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_early_stop_and_its_resumption(taught, recipe, tmp_path, monkeypatch, capsys):
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
    stopped = f"student stops after epoch {card.training.epochs}: no better score in 1 epoch"
    assert stopped in capsys.readouterr().err

    # Stopped, then cut off before the stage was wound up: not an epoch more.
    with monkeypatch.context() as broken:
        broken.setattr("edgekd.distill.training.fit._restore", fail)
        with pytest.raises(RuntimeError):
            run(stopping, tmp_path / "cut")
    run(stopping, tmp_path / "cut")
    again = load_checkpoint(tmp_path / "cut" / "student").card
    assert again.training.epochs == card.training.epochs
    assert same(weights(tmp_path), weights(tmp_path / "cut"))


def test_the_last_epoch_is_kept_after_an_interruption_too(taught, recipe, tmp_path, monkeypatch):
    fit = {"epochs": 4, "batch_size": 16, "keep": "last"}
    lasting = taught(student={"model": recipe().student.model, "fit": fit})
    epochs: list[int] = []

    def falling(module: StageModule) -> float:
        epochs.append(module.current_epoch)
        return fail() if len(epochs) == 3 else -float(module.current_epoch)

    monkeypatch.setattr(StageModule, "_metric", falling)
    with pytest.raises(RuntimeError):
        run(lasting, tmp_path / "cut")
    run(lasting, tmp_path / "cut")
    assert epochs == [0, 1, 2, 2, 3]  # it went on where it was cut
    run(lasting, tmp_path)
    assert load_checkpoint(tmp_path / "cut" / "student").card.training.best_epoch == 4
    assert same(weights(tmp_path), weights(tmp_path / "cut"))
    first = taught(student={"model": recipe().student.model, "fit": fit | {"keep": "best"}})
    run(first, tmp_path / "first")  # whose score is the highest
    assert not same(weights(tmp_path / "first"), weights(tmp_path / "cut"))


def fail(*_: object) -> Any:
    raise RuntimeError
