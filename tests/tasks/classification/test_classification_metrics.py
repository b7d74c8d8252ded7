from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from edgekd.errors import InputError
from edgekd.metrics import balanced_accuracy_difference, metrics_of, paired_difference
from edgekd.metrics.classification import quadratic_kappa_of
from edgekd.metrics.task import metrics_task
from edgekd.tasks.classification.metrics import Metrics

CLASSES = ("bkl", "mel", "nv")
GENERATOR = np.random.default_rng(4)
TARGETS = GENERATOR.integers(0, 3, 200)
REFERENCE, OUTPUTS = (
    (np.eye(3)[TARGETS] * 2 + GENERATOR.normal(0, 1, (200, 3))).astype(np.float32) for _ in range(2)
)


def test_layer_is_found_by_the_name_of_the_task() -> None:
    assert isinstance(metrics_task("classification"), Metrics)


def test_selection_is_the_balanced_accuracy() -> None:
    wanted = balanced_accuracy_score(TARGETS, OUTPUTS.argmax(axis=1))
    assert Metrics().selection(OUTPUTS, TARGETS) == pytest.approx(wanted)
    assert Metrics.selection_metric == "balanced_accuracy"


def test_evaluation_is_that_of_a_classifier() -> None:
    groups = np.arange(200) // 2
    metrics = Metrics().evaluate(OUTPUTS, TARGETS, CLASSES, ordered=True, groups=groups)
    assert metrics == metrics_of(OUTPUTS, TARGETS, CLASSES, ordered=True, groups=groups)
    assert metrics.quadratic_kappa is not None
    assert metrics.measures == {}


def test_difference_is_paired() -> None:
    difference = Metrics().difference(REFERENCE, OUTPUTS, TARGETS, CLASSES)
    wanted = balanced_accuracy_difference(REFERENCE, OUTPUTS, TARGETS)
    delta = difference.deltas["balanced_accuracy"]
    assert (delta.value, delta.low, delta.high) == wanted
    same = REFERENCE.argmax(axis=1) == OUTPUTS.argmax(axis=1)
    assert (difference.agreement, difference.flips) == (same.mean(), (~same).sum())
    assert "quadratic_kappa" not in difference.deltas


def test_grades_have_a_difference_of_kappa() -> None:
    deltas = Metrics().difference(REFERENCE, OUTPUTS, TARGETS, CLASSES, ordered=True).deltas
    wanted = paired_difference(
        quadratic_kappa_of, REFERENCE.argmax(1)[None], OUTPUTS.argmax(1)[None], TARGETS, 3
    )
    kappa = deltas["quadratic_kappa"]
    assert (kappa.value, kappa.low, kappa.high) == wanted


def test_output_that_is_not_finite_is_refused() -> None:
    damaged = OUTPUTS.copy()
    damaged[3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        Metrics().difference(REFERENCE, damaged, TARGETS, CLASSES)


def test_nothing_is_known_without_images() -> None:
    nothing = np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64)
    difference = Metrics().difference(*nothing, CLASSES)
    assert (difference.agreement, difference.flips) == (None, 0)
