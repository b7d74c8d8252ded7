"""The comparison with the teacher, from the paired differences of the task."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bench.compare.teacher import comparison_of
from edgekd.bench.result import Estimate
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics import metrics_of, quadratic_kappa
from edgekd.metrics.task import Difference, metrics_task


def compare(teacher, row, targets, **options):
    classes = [str(index) for index in range(np.shape(row)[1])]
    task = metrics_task(DEFAULT_TASK)
    return comparison_of(task.difference(teacher, row, targets, classes, **options))


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


def test_differences_of_a_task_of_its_own_are_kept_by_name():
    delta = Estimate(value=0.4, low=0.1, high=0.7)
    comparison = comparison_of(Difference(deltas={"mae": delta}, agreement=None, flips=0))
    assert comparison.delta("mae") == delta
    assert comparison.balanced_accuracy_delta is comparison.delta("balanced_accuracy") is None


def test_the_difference_to_the_teacher_knows_patients_too() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(120) % 3, 3)
    teacher = np.eye(3)[labels]
    row = np.where(
        np.repeat(generator.random(120) < 0.1, 3)[:, None], np.roll(teacher, 1, 1), teacher
    )
    blind = compare(teacher, row, labels, ordered=True)
    known = compare(teacher, row, labels, ordered=True, groups=np.arange(360) // 3)
    for name in ("balanced_accuracy_delta", "quadratic_kappa_delta"):
        narrow, wide = getattr(blind, name), getattr(known, name)
        assert wide.value == pytest.approx(narrow.value)
        assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
