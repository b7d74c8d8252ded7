"""The precision of a run: chosen once, kept beside it, and taken by whatever continues it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import msgspec
import pytest
import torch
from small_runs import run, same, weights

from edgekd.distill.comparison.compare import CompareRequest, compare
from edgekd.distill.runs import pinned_precision, pipeline
from edgekd.distill.runs.pinned_precision import PRECISION, TrialPlan, kept_choice, pin_precision
from edgekd.distill.training import precision
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.step_trial import StepSeconds
from edgekd.errors import InputError
from edgekd.models import read_card
from edgekd.recipe import ModelSection, Recipe, TrainerSection
from edgekd.seals import flaws_of

AUTO = {"accelerator": "cpu", "precision": "auto", "threads": 1}
PLAN = TrialPlan(ModelSection(arch="resnet10t"), (), 7, 32, 16, 10**6)
Seconds = dict[str, StepSeconds]
Measure = Callable[[Seconds], list[tuple[str, ...]]]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Lets trials give these seconds; the list of the precisions of each trial."""

    def begin(seconds: Seconds) -> list[tuple[str, ...]]:
        trials: list[tuple[str, ...]] = []

        def trial(section: object, plan: object, tried: tuple[str, ...]) -> Seconds:
            trials.append(tuple(tried))
            return seconds

        monkeypatch.setattr(precision, "candidates_of", lambda device: ("fp32", "bf16"))
        monkeypatch.setattr(precision, "_SHARE_OF_RUN", 10**6)  # every run is long enough
        monkeypatch.setattr(pinned_precision, "_measured", trial)
        return trials

    return begin


BF16 = {"fp32": StepSeconds(0.4, 0.5), "bf16": StepSeconds(0.1, 0.2)}
FP32 = {"fp32": StepSeconds(0.1, 0.2), "bf16": StepSeconds(0.4, 0.5)}
APART = {"fp32": StepSeconds(0.1, 0.5), "bf16": StepSeconds(0.4, 0.2)}


def test_the_choice_is_reported_recorded_and_sealed(recipe, tmp_path, measured):
    trials = measured(BF16)
    lines = run(recipe(trainer=AUTO), tmp_path)
    assert [line for line in lines if line.startswith("precision: ")] == [
        "precision: bf16, measured a step: student fp32 0.400 s, bf16 0.100 s; "
        "teacher fp32 0.500 s, bf16 0.200 s"
    ]
    assert trials == [("fp32", "bf16")]  # once for teacher and student
    for role in ("teacher", "student"):
        record = json.loads((tmp_path / role / PRECISION).read_text())
        assert (record["precision"], record["seconds"]) == (
            "bf16", {"fp32": 0.4, "bf16": 0.1},
        )  # fmt: skip
        card = read_card(tmp_path / role)
        assert card.training.precision == "bf16"
        assert "0.400 s" in card.training.precision_reason
        (tmp_path / role / PRECISION).write_text("{}")
        assert PRECISION in flaws_of(tmp_path / role)


def test_the_teacher_teaches_in_a_precision_of_its_own(recipe, tmp_path, measured):
    measured(APART)
    run(recipe(trainer=AUTO), tmp_path)
    record = json.loads((tmp_path / "student" / "recipe.json").read_text())
    assert record["trainer"]["precision"] == "fp32"
    assert record["teacher"]["precision"] == "bf16"
    named = recipe(trainer=AUTO)
    of_named = msgspec.structs.replace(
        named, teacher=msgspec.structs.replace(named.teacher, precision="fp32")
    )
    lines = run(of_named, tmp_path, force=True)
    assert not any(line.startswith("student") and "reused" in line for line in lines)
    record = json.loads((tmp_path / "student" / "recipe.json").read_text())
    assert record["teacher"]["precision"] == "fp32"  # the recipe's own is kept


def test_a_finished_run_is_reused_whatever_a_trial_would_give_now(recipe, tmp_path, measured):
    measured(BF16)
    run(recipe(trainer=AUTO), tmp_path)
    trials = measured(FP32)
    assert sum("reused" in line for line in run(recipe(trainer=AUTO), tmp_path)) == 2
    assert not trials
    # `auto` and the precision by its name are the same run.
    assert any(
        "reused" in line for line in run(recipe(trainer=AUTO | {"precision": "bf16"}), tmp_path)
    )
    (tmp_path / PRECISION).unlink()  # it is beside the networks, too
    assert sum("reused" in line for line in run(recipe(trainer=AUTO), tmp_path)) == 2
    assert not trials


def test_an_interrupted_run_keeps_its_precision(recipe, tmp_path, measured, monkeypatch):
    measured(BF16)
    alone = recipe(trainer=AUTO, method={"name": "none"})
    run(alone, tmp_path / "whole")
    begin = StageModule.on_train_epoch_start

    def broken(self: StageModule) -> None:
        if self.current_epoch == 1:
            raise RuntimeError
        begin(self)

    with monkeypatch.context() as patched:
        patched.setattr(StageModule, "on_train_epoch_start", broken)
        with pytest.raises(RuntimeError):
            run(alone, tmp_path / "cut")
    trials = measured(FP32)
    run(alone, tmp_path / "cut")
    assert not trials
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_training_alone_is_continued_from_its_own_folder(recipe, tmp_path, measured):
    trials = measured(BF16)
    request = pipeline.RunRequest(recipe(trainer=AUTO), tmp_path)
    assert pipeline.train(request).training.precision == "bf16"
    measured(FP32)
    lines: list[str] = []
    pipeline.train(pipeline.RunRequest(recipe(trainer=AUTO), tmp_path, lines.append))
    assert len(trials) == 1
    assert any("reused" in line for line in lines)


def test_other_networks_are_measured_for_themselves(tmp_path, measured):
    trials = measured(BF16)
    section = TrainerSection(accelerator="cpu")
    assert pin_precision(tmp_path, section, PLAN).precision == "bf16"
    measured(FP32)
    assert pin_precision(tmp_path, section, PLAN).precision == "bf16"
    other = msgspec.structs.replace(PLAN.trained, arch="resnet18")
    changed = TrialPlan(other, (), 7, 32, 16, 10**6)
    assert pin_precision(tmp_path, section, changed).precision == "fp32"
    assert len(trials) == 1
    assert kept_choice(tmp_path, PLAN) is None


def test_a_damaged_choice_is_made_again(tmp_path, measured):
    measured(BF16)
    section = TrainerSection(accelerator="cpu")
    pin_precision(tmp_path, section, PLAN)
    (tmp_path / PRECISION).write_text('{"precision": "bf')
    assert kept_choice(tmp_path, PLAN) is None
    assert pin_precision(tmp_path, section, PLAN) == kept_choice(tmp_path, PLAN)


def test_the_recipes_own_precision_is_not_tried(tmp_path, measured):
    trials = measured(BF16)
    choice = pin_precision(tmp_path, TrainerSection(accelerator="cpu", precision="fp32"), PLAN)
    assert (choice.precision, choice.reason) == ("fp32", "the recipe's")
    assert not trials
    assert not list(tmp_path.iterdir())


def test_other_processes_take_the_choice_of_the_first(tmp_path, measured, monkeypatch):
    trials = measured(BF16)
    section = TrainerSection(accelerator="cpu")
    choice = pin_precision(tmp_path / "first", section, PLAN)
    monkeypatch.setattr(pinned_precision, "is_rank_zero", lambda: False)
    measured(FP32)
    late = threading.Timer(
        0.5, lambda: (tmp_path / "late").mkdir() or (tmp_path / "late" / PRECISION).write_bytes(
            (tmp_path / "first" / PRECISION).read_bytes()))  # fmt: skip
    late.start()
    assert pin_precision(tmp_path / "late", section, PLAN) == choice
    late.join()
    assert len(trials) == 1
    monkeypatch.setattr(pinned_precision, "_PATIENCE", 0.3)
    with pytest.raises(InputError, match="not written by process 0") as caught:
        pin_precision(tmp_path / "never", section, PLAN)
    assert "trainer.precision" in caught.value.hint


def test_a_real_trial_leaves_the_random_numbers_as_they_were(monkeypatch):
    plan = TrialPlan(
        ModelSection(arch="resnet10t", options={"channels": [4, 4, 8, 8], "stem_width": 4}),
        (ModelSection(arch="resnet10t"),), 7, 32, 4, 10**6,
    )  # fmt: skip
    before = torch.get_rng_state()
    seconds = pinned_precision._measured(
        TrainerSection(accelerator="cpu", threads=1), plan, ("fp32", "bf16")
    )
    assert torch.get_rng_state().equal(before)
    assert set(seconds) == {"fp32", "bf16"}


def test_all_runs_of_a_comparison_have_one_precision(recipe, tmp_path, measured):
    trials = measured(BF16)
    recipes: list[Recipe] = [recipe(trainer=AUTO, name="kd")]
    compare(CompareRequest(recipes, (0, 1), tmp_path))
    assert len(trials) == 1
    cards = [read_card(file.parent) for file in sorted(tmp_path.rglob("model.json"))]
    assert len(cards) == 5  # a teacher, and two students of each method
    assert {card.training.precision for card in cards} == {"bf16"}
    records = {file.read_bytes() for file in tmp_path.rglob(PRECISION)}
    assert len(records) == 1


def test_folds_share_the_choice_of_their_comparison(recipe, tmp_path, measured):
    trials = measured(FP32)
    folded = recipe(trainer=AUTO, name="kd", split={"validation": 0.25, "test": 0.0})
    compare(CompareRequest([folded], (0,), tmp_path, folds=2))
    assert len(trials) == 1
    assert (tmp_path / PRECISION).is_file()
