"""A statistic of decisions beside that of others on the same images."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd import metrics
from edgekd.metrics.classification import balanced_accuracy_of, quadratic_kappa_of

GRADES = 5


def graded(seeds: int, n: int = 300, noise: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Decisions [seeds, n] about grades, some of them one or two beside."""
    generator = np.random.default_rng(3)
    targets = np.arange(n) % GRADES
    beside = np.rint(generator.normal(scale=noise, size=(seeds, n))).astype(int)
    return np.clip(targets + beside, 0, GRADES - 1), targets


def kappa(decided: np.ndarray, targets: np.ndarray) -> float:
    return float(np.mean([metrics.quadratic_kappa(np.eye(GRADES)[d], targets) for d in decided]))


def test_the_value_is_the_difference_of_the_means():
    first, targets = graded(2)
    second, _ = graded(3, noise=0.4)
    found = metrics.paired_difference(quadratic_kappa_of, first, second, targets, GRADES)
    assert found.value == pytest.approx(kappa(second, targets) - kappa(first, targets))
    assert 0 < found.low < found.value < found.high


def test_it_is_what_the_recall_bootstrap_says():
    first, targets = graded(1)
    second, _ = graded(1, noise=0.6)
    found = metrics.paired_difference(balanced_accuracy_of, first, second, targets, GRADES)
    gain = (second[0] == targets).astype(float) - (first[0] == targets)
    assert found == pytest.approx(metrics.recall_difference(gain, targets))


def test_it_is_paired():
    first, targets = graded(1, n=600)
    second = first.copy()
    second[0, :20] = targets[:20]
    _, low, high = metrics.paired_difference(quadratic_kappa_of, first, second, targets, GRADES)
    alone = metrics.bootstrap_intervals(np.eye(GRADES)[first[0]], targets).quadratic_kappa
    assert high - low < (alone.high - alone.low) / 2


def test_with_itself_it_is_nothing():
    first, targets = graded(2)
    found = metrics.paired_difference(quadratic_kappa_of, first, first, targets, GRADES)
    assert found == (0.0, 0.0, 0.0)


def test_what_has_no_value_or_no_bounds():
    nothing = np.empty((1, 0), int)
    found = metrics.paired_difference(quadratic_kappa_of, nothing, nothing, nothing[0], 3)
    assert found == (None, None, None)
    same = np.zeros((1, 4), int)
    found = metrics.paired_difference(quadratic_kappa_of, same, same, same[0], 3)
    assert found == (None, None, None)
    first, second = np.array([[0, 0, 2]]), np.array([[0, 0, 1]])
    found = metrics.paired_difference(quadratic_kappa_of, first, second, np.array([0, 0, 2]), 3)
    assert found.value < 0
    assert found.low is None
