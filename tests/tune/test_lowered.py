"""The int8 file of a trial: the same verdict as that of `edgekd build`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import optuna
import pytest
import searches

from edgekd.bundle import Bundle
from edgekd.cli import main
from edgekd.distill.runs import pipeline
from edgekd.errors import InputError
from edgekd.files import pretty_json
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import UnconvertibleError
from edgekd.lower.build import BuiltBundle
from edgekd.lower.source import load_source
from edgekd.metrics.task import metrics_task
from edgekd.models import read_card
from edgekd.policy import load_policy
from edgekd.runtime import Classifier
from edgekd.seals import seal_files
from edgekd.targets import load_target
from edgekd.tune.lowered import _verdict, check_target, lower_student
from edgekd.tune.trial import Attribute, TrialRunner

TARGET = "cpu-onnx"
IMAGES = 220
"""Enough to measure int8 ranges on, and for the least demanding gate."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("lowered")
    recipe = searches.recipe_of(folder, images=IMAGES, method={"name": "none"}, teacher=None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EDGEKD_CACHE", str(cache))
        pipeline.distill(pipeline.RunRequest(recipe, folder / "run"))
    return folder / "run"


@pytest.mark.slow
def test_the_score_is_that_of_the_file_itself(run: Path) -> None:
    lowered = lower_student(run, TARGET)
    assert lowered.refusal == ""
    assert lowered.bundle is not None
    with Bundle.open(lowered.bundle) as bundle:
        assert bundle.manifest.lowering.precision == "int8"
    source = load_source(run)
    model = Classifier.open(lowered.bundle)
    outputs = [model.logits(image) for image in source.images]
    model.close()
    task = metrics_task(read_card(run / "student").task)
    assert lowered.quality == task.selection(np.array(outputs), source.targets)
    assert lower_student(run, TARGET).quality == lowered.quality  # after a kill in between


def test_what_build_refuses_is_refused(run: Path, tmp_path: Path) -> None:
    """By the gate of dermoscopy, for which the few images are no evidence."""
    shutil.copytree(run, tmp_path / "run")
    card = tmp_path / "run" / "student" / "model.json"
    content = json.loads(card.read_text())
    content["policy"] = json.loads(pretty_json(load_policy("dermoscopy").values()))
    card.write_text(json.dumps(content))
    seal_files(tmp_path / "run" / "student", [card.name])
    lowered = lower_student(tmp_path / "run", TARGET)
    assert (lowered.bundle, lowered.quality) == (None, None)
    assert "fewer than" in lowered.refusal
    arguments = ["--target", TARGET, "--precision", "int8", "--model", str(tmp_path / "run")]
    assert main(["build", *arguments, "--out", str(tmp_path / "bundles")]) == 4


def test_a_trial_of_a_refused_file_is_infeasible_and_keeps_the_float_score(
    tmp_path: Path,
) -> None:
    recipe = searches.raw_recipe(
        tmp_path, IMAGES, method={"name": "none"}, teacher=None, policy="dermoscopy"
    )
    job = searches.job_of(tmp_path, recipe=recipe, lowered=TARGET)
    study = optuna.create_study(directions=job.directions)
    trial = study.ask()
    values = TrialRunner(job, tmp_path, 1).run(trial, {})
    assert trial.constraints == {"refused": 1.0}
    assert values[0] == trial.user_attrs[Attribute.FLOAT_QUALITY]
    assert "fewer than" in trial.user_attrs[Attribute.REFUSAL]


def test_a_network_that_the_engine_does_not_take_is_refused_too(run: Path) -> None:
    error = UnconvertibleError("it has an operator", "take another student")
    lowered = _verdict(BuiltBundle("cpu", "cpu", None, None, (), error), run)
    assert lowered.refusal == "it has an operator"


def test_another_error_is_one_of_the_trial(run: Path) -> None:
    error = InputError("the disk is full", "make room")
    with pytest.raises(InputError, match="full"):
        _verdict(BuiltBundle("cpu", "cpu", None, None, (), error), run)


def test_targets_are_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    check_target(TARGET)
    with pytest.raises(InputError, match="nosuch"):
        check_target("nosuch")
    backend = get_backend(load_target(TARGET).backend)
    monkeypatch.setattr(type(backend), "precisions", ("fp32",))
    with pytest.raises(InputError, match="no int8"):
        check_target(TARGET)
