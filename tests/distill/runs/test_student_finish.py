"""Students that are finished for int8: their weights, their card, and what is trained again."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec
import pytest
from safetensors.torch import load_file
from small_runs import record_stages, run, same, weights

from edgekd.distill.runs.finish import RANGE_IMAGES
from edgekd.distill.samples.run_samples import load_samples
from edgekd.distill.training.int8_grid import Int8Grid
from edgekd.distill.training.module import StageModule
from edgekd.errors import InputError
from edgekd.metrics.task import metrics_task
from edgekd.models import load_checkpoint, logits_of, read_card

FINISH = {"quantisation": "int8", "epochs": 2, "learning_rate": 3e-3}


def scores(out: Path) -> list[float]:
    lines = (out / "student" / "stages" / "finish.csv").read_text().splitlines()
    return [float(row["score"]) for row in csv.DictReader(lines)]


@pytest.mark.parametrize("method", ["kd", "none"])
def test_the_checkpoint_is_an_ordinary_one_and_its_card_tells_of_the_stage(
    taught, tmp_path, method
):
    plain, finished = (
        taught(method={"name": method}),
        taught(method={"name": method}, finish=FINISH),
    )
    run(plain, tmp_path / "plain")
    said = run(finished, tmp_path / "finished")
    student, other = (
        load_checkpoint(tmp_path / name / "student") for name in ("finished", "plain")
    )
    assert student.network.state_dict().keys() == other.network.state_dict().keys()
    assert other.card.training.finish is None
    card = student.card.training.finish
    assert (card.quantisation, card.epochs, card.learning_rate) == ("int8", 2, 3e-3)
    assert card.metric == "balanced_accuracy"
    assert student.card.training.epochs == other.card.training.epochs
    assert any("in simulated int8" in line for line in said)


def test_epochs_are_judged_by_the_student_in_int8(taught, tmp_path):
    finished = taught(finish=FINISH)
    run(finished, tmp_path)
    student = load_checkpoint(tmp_path / "student")
    card, samples = student.card.training.finish, load_samples(finished)
    images, targets = samples.part("validation")
    train = samples.part("train")[0]
    assert len(train) < RANGE_IMAGES  # all of them are observed
    network = student.normalised()
    grid = Int8Grid(network, train)
    with grid.simulated():
        outputs = logits_of(network, images)
    selection = metrics_task(finished.task).selection
    assert card.after == pytest.approx(selection(outputs, targets))
    if card.best_epoch:
        assert card.after == max(scores(tmp_path)) == scores(tmp_path)[card.best_epoch - 1]


def test_a_student_that_int8_does_not_like_better_stays_as_it_was(taught, tmp_path, monkeypatch):
    run(taught(), tmp_path / "plain")
    values = iter([0.9, 0.5, 0.7])
    selection = "edgekd.tasks.classification.metrics.Metrics.selection"
    run(taught(finish=FINISH), tmp_path / "base")  # so that the next run judges the stage alone
    with monkeypatch.context() as judged:
        judged.setattr(selection, lambda *_: next(values))
        said = run(taught(finish={**FINISH, "learning_rate": 1e-2}), tmp_path / "base", force=True)
    card = read_card(tmp_path / "base" / "student").training.finish
    assert (card.best_epoch, card.before, card.after) == (0, 0.9, 0.9)
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "base"))
    assert any("the student stays" in line for line in said)


def test_another_finish_keeps_the_stages_before_it(taught, tmp_path, monkeypatch):
    run(taught(finish=FINISH), tmp_path)
    before = weights(tmp_path)
    trained = record_stages(monkeypatch)
    run(taught(finish=FINISH), tmp_path)
    assert trained == []
    run(taught(finish={**FINISH, "epochs": 3}), tmp_path, force=True)
    assert trained == ["finish"]
    assert not same(before, weights(tmp_path))


def test_the_stages_before_it_do_not_depend_on_it(taught, tmp_path):
    """The student that a run without the section makes is the one that is finished."""
    run(taught(), tmp_path / "plain")
    run(taught(finish=FINISH), tmp_path / "finished")
    stages = tmp_path / "finished" / "student" / "stages"
    before = load_file(stages / "student.safetensors")
    plain = weights(tmp_path / "plain")
    prefix = "student.network."
    found = {name.removeprefix(prefix): t for name, t in before.items() if prefix in name}
    assert same(plain, found)
    assert not same(plain, weights(tmp_path / "finished"))


@pytest.mark.parametrize(
    ("epoch", "index"),
    [(1, 3), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((0, 2), (1, 0)))],
)
def test_an_interrupted_finish_comes_to_the_same_weights(
    taught, recipe, tmp_path, monkeypatch, epoch, index
):
    """In the middle of an epoch the ranges are no longer those of the weights."""
    trainer = msgspec.to_builtins(recipe().trainer) | {"checkpoint": {"minutes": 0, "steps": 1}}
    fit = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3}
    student = {"model": msgspec.to_builtins(recipe().student.model), "fit": fit}
    whole = taught(finish={**FINISH, "learning_rate": 0.02}, trainer=trainer, student=student)
    run(whole, tmp_path / "whole")
    train = StageModule.training_step

    def broken(self: StageModule, batch: Any, number: int) -> Any:
        if (self.stage.name, self.current_epoch, number) == ("finish", epoch, index):
            raise RuntimeError("power cut")
        return train(self, batch, number)

    with monkeypatch.context() as cut:
        cut.setattr(StageModule, "training_step", broken)
        with pytest.raises(RuntimeError, match="power cut"):
            run(whole, tmp_path / "broken")
    run(whole, tmp_path / "broken")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    cards = [read_card(tmp_path / name / "student") for name in ("whole", "broken")]
    assert cards[0].training.finish == cards[1].training.finish


def test_a_teacher_is_not_finished(recipe, tmp_path, monkeypatch):
    trained = record_stages(monkeypatch)
    run(recipe(finish={**FINISH, "epochs": 1}), tmp_path)
    assert trained == ["supervised", "student", "finish"]
    assert read_card(tmp_path / "teacher").training.finish is None


def test_a_damaged_file_is_made_again_with_the_card_of_the_stage(taught, tmp_path, monkeypatch):
    run(taught(finish=FINISH), tmp_path)
    before = read_card(tmp_path / "student").training.finish
    (tmp_path / "student" / "metrics.json").write_text("{}")
    trained = record_stages(monkeypatch)
    run(taught(finish=FINISH), tmp_path)
    assert trained == []
    assert read_card(tmp_path / "student").training.finish == before


def test_another_quantisation_is_refused(taught):
    with pytest.raises(InputError, match="Invalid enum value 'int4'"):
        taught(finish={"quantisation": "int4"})
