"""Metrics with intervals, and the comparison with the teacher."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bench.compare.accuracy import compare, metrics_of
from edgekd.errors import InputError
from edgekd.metrics import quadratic_kappa


def case(n: int = 60):
    targets = np.arange(n) % 3
    teacher = np.eye(3)[targets] * 4
    student = teacher.copy()
    student[:3] = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]  # one flip in each class
    return teacher, student, targets


def test_comparison_by_hand():
    teacher, student, targets = case()
    comparison = compare(teacher, student, targets)
    assert comparison.flips == 3
    assert comparison.agreement == pytest.approx(57 / 60)
    delta = comparison.balanced_accuracy_delta
    assert delta.value == pytest.approx(-3 / 60)
    assert delta.low < delta.value < 0 < delta.high  # three of three: by chance once in four
    assert comparison.speedup_p50 is None


def test_grades_are_compared_by_their_distance_too():
    """Two students flip as often, one to the next grade and one across all of them."""
    targets = np.arange(60) % 3
    teacher, near, far = (np.eye(3)[targets] * 4 for _ in range(3))
    near[::3], far[::3] = [0, 1, 0], [0, 0, 1]
    deltas = [
        compare(teacher, student, targets, ordered=True).quadratic_kappa_delta
        for student in (near, far)
    ]
    assert all(delta.low <= delta.value <= delta.high < 0 for delta in deltas)
    assert deltas[0].value > deltas[1].value
    assert deltas[0].value == pytest.approx(quadratic_kappa(near, targets) - 1)
    assert compare(teacher, near, targets).quadratic_kappa_delta is None


def test_a_flip_between_two_wrong_classes_counts():
    comparison = compare([[0.0, 1, 0], [1, 0, 0]], [[0.0, 0, 1], [1, 0, 0]], [0, 0])
    assert comparison.flips == 1
    assert comparison.balanced_accuracy_delta.value == 0


def test_no_images():
    comparison = compare(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, int))
    assert (comparison.flips, comparison.agreement) == (0, None)
    assert comparison.balanced_accuracy_delta.value is None


def test_metrics_have_names_and_intervals():
    _, student, targets = case()
    metrics = metrics_of(student, targets, ("mel", "nv", "bkl"))
    mel = metrics.per_class["mel"]
    assert mel.n == 20
    assert mel.sensitivity.value == pytest.approx(19 / 20)
    assert mel.sensitivity.low < 19 / 20 < mel.sensitivity.high
    assert mel.specificity.value == pytest.approx(39 / 40)
    assert metrics.accuracy.value == pytest.approx(57 / 60)


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(InputError):
        metrics_of([[np.nan, 1.0]], [0], ("a", "b"))
