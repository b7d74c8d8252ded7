"""One trial: real trainings of a tiny student."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
import searches
from optuna.trial import FixedTrial

from edgekd.errors import InputError
from edgekd.models import read_card
from edgekd.tune import trial as trials
from edgekd.tune.job import TuneJob
from edgekd.tune.trial import Attribute, TrialRunner, recipe_at, suggested

POINT = {searches.WIDTHS: 2.0, searches.RATE: 5e-3}


def run(job: TuneJob, out: Path, stored: dict[str, float] | None = None) -> tuple:
    """A trial at a point; its values, and the trial."""
    study = optuna.create_study(directions=job.directions)
    trial = study.ask()
    values = TrialRunner(job, out, 1).run(trial, stored or {})
    return list(values), trial


def test_the_sampler_is_given_every_domain(tmp_path: Path) -> None:
    space = {**searches.SPACE, "image_size": {"low": 32, "high": 64, "step": 16},
             "student.fit.epochs": {"low": 1, "high": 8, "log": True},
             "student.fit.class_sampling": {"choice": ["none", "sqrt"]}}  # fmt: skip
    raw = searches.raw_recipe(tmp_path)
    job = searches.job_of(tmp_path, recipe=raw, space=space)
    study = optuna.create_study()
    trial = study.ask()
    stored = suggested(trial, job.typed_space)
    assert stored == trial.params
    assert set(stored) == set(space)
    assert stored["image_size"] in (32, 48, 64)
    assert isinstance(stored["student.fit.epochs"], int)
    assert trial.distributions[searches.RATE].log
    assert trial.distributions["student.fit.epochs"].log
    assert trial.distributions["method.weight"].step == 0.1
    recipe = recipe_at(job, stored)
    assert recipe.method["weight"] == stored["method.weight"]
    assert recipe.image_size == stored["image_size"]


def test_a_trial_has_quality_and_cost_and_reads_no_test_image(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    values, trial = run(job, tmp_path, POINT)
    folder = tmp_path / trial.user_attrs[Attribute.RUN]
    card = read_card(folder / "student")
    assert card.arch_options["channels"] == [8, 8, 16, 16]
    assert values == [trial.user_attrs[Attribute.FLOAT_QUALITY], card.macs]
    assert trial.user_attrs[Attribute.PARAMS] == card.params
    metrics = json.loads((folder / "student" / "metrics.json").read_text())
    assert "test" not in metrics
    validation = metrics["validation"]["balanced_accuracy"]["value"]
    assert values[0] == pytest.approx(validation, abs=1e-6)


def test_the_same_point_is_trained_once_and_another_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Path] = []
    distil = trials.distill

    def recorded(request: trials.RunRequest) -> object:
        trained.append(request.out)
        lines: list[str] = []
        card = distil(trials.RunRequest(**{**vars(request), "say": lines.append}))
        reused.append(any("reused" in line for line in lines))
        return card

    reused: list[bool] = []
    monkeypatch.setattr(trials, "distill", recorded)
    job = searches.job_of(tmp_path, cost="params")
    first, _ = run(job, tmp_path)
    again, _ = run(job, tmp_path)
    run(job, tmp_path, POINT)
    assert first == again
    assert reused == [False, True, False]
    assert len(set(trained)) == 2


def test_with_one_objective_each_epoch_is_reported(tmp_path: Path) -> None:
    values, trial = run(searches.job_of(tmp_path, cost="none"), tmp_path)
    scores = trial.study.get_trials()[0].intermediate_values
    assert set(scores) == {1, 2}
    assert values == [pytest.approx(max(scores.values()))]


def test_a_trial_that_falls_behind_ends_after_its_epoch_and_leaves_no_student(
    tmp_path: Path,
) -> None:
    job = searches.job_of(tmp_path, cost="none")
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.ThresholdPruner(lower=1.1)
    )
    trial = study.ask()
    with pytest.raises(optuna.TrialPruned, match="epoch 1"):
        TrialRunner(job, tmp_path, 1).run(trial, {})
    assert not (tmp_path / trial.user_attrs[Attribute.RUN] / "student").exists()


def test_with_two_objectives_no_epoch_is_reported(tmp_path: Path) -> None:
    """Optuna refuses to report to a study with several."""
    run(searches.job_of(tmp_path, cost="macs"), tmp_path)


def test_a_network_that_cannot_be_built_is_an_error_of_the_trial(tmp_path: Path) -> None:
    space = {"student.model.arch": {"choice": ["resnet10t", "resnet10x"]}}
    job = searches.job_of(tmp_path, space=space)
    with pytest.raises(InputError, match="resnet10x"):
        TrialRunner(job, tmp_path, 1).run(FixedTrial({}), {"student.model.arch": "resnet10x"})
