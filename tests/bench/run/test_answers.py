"""Answers of bundles and checkpoints, with metrics by their task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from colours import CLASSES, HALF, paint
from model_files import write_onnx

from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.run.answers import (
    Answered,
    Unanswered,
    bundle_answers,
    checkpoint_answers,
    unanswered_bundle,
)
from edgekd.bench.subjects.labelled import data_of_csv
from edgekd.errors import ArtefactError, InputError
from edgekd.models.importing.imported import import_model
from edgekd.models.importing.request import ImportRequest, Preprocessing

TASK = "multilabel"


def answers_of(path, data):
    steps: list[int] = []
    answers = bundle_answers(
        path, data, on=LocalDevice("host"), is_target=False, threads=1, step=steps.append
    )
    assert sum(steps) == len(data.images)
    return answers


def test_a_bundle_has_raw_and_calibrated_outputs(data, make_bundle) -> None:
    answers = answers_of(make_bundle(temperature=2.0), data)
    assert isinstance(answers, Answered)
    assert answers.outputs.shape == (36, 3)
    np.testing.assert_allclose(answers.calibrated, answers.outputs / 2, rtol=1e-6)
    assert answers.row.metrics.accuracy.value == 1.0
    assert answers.row.decisions.answered.value == 1.0
    assert answers.device is None  # this host is not the bundle's target


def test_a_bundle_of_findings(data, make_bundle) -> None:
    findings = replace(data, task=TASK)
    answers = answers_of(make_bundle(task=TASK, temperature=4.0), findings)
    assert findings.targets.shape == answers.outputs.shape == (36, 3)
    assert answers.row.metrics.per_class["mel"].sensitivity.value == 1.0
    assert answers.row.metrics.accuracy.value == 0.0  # all three findings in every photo


def test_a_checkpoint(data, teacher) -> None:
    steps: list[int] = []
    answers = checkpoint_answers(teacher, "teacher", data, steps.append)
    assert (answers.row.role, answers.row.backend) == ("teacher", "pytorch")
    assert answers.outputs is answers.calibrated
    assert sum(steps) == 36


def test_another_task_is_refused(data, make_bundle) -> None:
    with pytest.raises(InputError, match="made for multilabel"):
        answers_of(make_bundle(task=TASK), data)


def test_a_bundle_that_was_not_run(make_bundle) -> None:
    reason = ArtefactError("broken", "build it again")
    answers = unanswered_bundle(make_bundle(), reason)
    assert isinstance(answers, Unanswered)
    assert (answers.reason, answers.row.metrics, answers.row.name) == (reason, None, "cpu fp32")


def test_an_imported_teacher_answers_in_the_order_of_the_data(tmp_path) -> None:
    paint(tmp_path, each=2)
    write_onnx(tmp_path / "a.onnx")
    own = Preprocessing(size=32, mean=HALF, std=HALF)
    import_model(ImportRequest(tmp_path / "a.onnx", CLASSES, preprocessing=own), tmp_path / "t")
    data = data_of_csv(tmp_path / "labels.csv", CLASSES[::-1])
    answers = checkpoint_answers(tmp_path / "t", "teacher", data, lambda _: None)
    assert answers.row.metrics.accuracy.value == 1.0
    assert (answers.row.name, answers.row.params, answers.row.macs) == ("teacher ONNX", None, None)
    other = data_of_csv(tmp_path / "labels.csv", (*CLASSES[:3], "white", "more"))
    with pytest.raises(InputError, match="knows the classes"):
        checkpoint_answers(tmp_path / "t", "teacher", other, lambda _: None)
