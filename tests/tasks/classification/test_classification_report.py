"""The report of one class for each image: columns in the policy's order, scores and answers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from bench_results import POLICY, sample_result

from edgekd.bench.task import report_task
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.tasks.classification.manifest import Decision

METRICS = sample_result().rows[0].metrics


def test_an_answer_is_the_most_probable_class():
    task = report_task(DEFAULT_TASK)
    scores = task.scores(np.log([0.2, 0.7, 0.1]), ("a", "b", "c"))
    assert scores == pytest.approx({"a": 0.2, "b": 0.7, "c": 0.1})
    assert task.answer(scores) == {"b"}
    assert task.answer({}) == frozenset()
    assert task.label_names("mel") == {"mel"}


def titles(columns):
    return [column.title for column in columns]


@pytest.mark.parametrize("first", [["mel"], ["MEL"], ["Mel", "melanoma"]])
def test_classes_that_the_policy_names_first_have_a_column(first):
    policy = msgspec.structs.replace(POLICY, first=first)
    columns = report_task(DEFAULT_TASK).headline(METRICS, policy)
    assert titles(columns) == ["Balanced accuracy", "Sensitivity for mel"]


def test_isic_2019_spells_melanoma_in_capitals():
    per_class = {name.upper(): each for name, each in METRICS.per_class.items()}
    metrics = msgspec.structs.replace(METRICS, per_class=per_class)
    columns = report_task(DEFAULT_TASK).headline(metrics, POLICY)
    assert titles(columns) == ["Balanced accuracy", "Sensitivity for MEL"]
    assert columns[1].estimate(metrics) == METRICS.per_class["mel"].sensitivity


def test_grades_have_their_kappa():
    graded = msgspec.structs.replace(METRICS, quadratic_kappa=METRICS.accuracy, per_class={})
    task = report_task(DEFAULT_TASK)
    assert titles(task.headline(graded, POLICY)) == ["Balanced accuracy", "Quadratic kappa"]
    assert titles(task.regression_columns(graded)) == ["Balanced accuracy", "Quadratic kappa"]
    assert titles(task.details(graded)) == ["Accuracy", "Macro F1", "Macro AUROC", "ECE"]


def test_the_thresholds_of_a_decision():
    task, decision = report_task(DEFAULT_TASK), Decision(thresholds={"mel": 0.1}, refer_below=0.6)
    assert task.thresholds(decision, "mel") == {"cannot be excluded": 0.1}
    assert task.thresholds(decision, "nv") == task.thresholds(Decision(), "mel") == {}
    assert (task.refer_below(decision), task.refer_below(Decision())) == (0.6, None)
