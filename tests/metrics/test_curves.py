"""Curves against counting by hand, against scikit-learn, and where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from edgekd.metrics import curves, expected_calibration_error, softmax

SCORES = np.array([0.9, 0.8, 0.8, 0.4, 0.2])
SHOWN = np.array([1, 1, 0, 0, 1], bool)


def test_a_roc_curve_that_can_be_counted():
    x, y, threshold = curves.roc_curve(SCORES, SHOWN)
    np.testing.assert_allclose(x, [0, 0, 1 / 2, 1, 1])
    np.testing.assert_allclose(y, [0, 1 / 3, 2 / 3, 2 / 3, 1])
    assert threshold.tolist() == [np.inf, 0.9, 0.8, 0.4, 0.2]


def test_curves_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    scores, shown = generator.random(200).round(2), generator.random(200) < 0.3
    x, y, threshold = roc_curve(shown, scores, drop_intermediate=False)
    ours = curves.roc_curve(scores, shown)
    np.testing.assert_allclose((ours.x, ours.y), (x, y))
    np.testing.assert_allclose(ours.threshold[1:], threshold[1:])
    precision, recall, threshold = precision_recall_curve(shown, scores)
    ours = curves.precision_recall_curve(scores, shown)
    np.testing.assert_allclose(ours.x[::-1], recall[:-1])
    np.testing.assert_allclose(ours.y[::-1], precision[:-1])


def test_undefined_curves():
    assert curves.roc_curve(SCORES, np.ones(5, bool)) is None
    assert curves.roc_curve([], []) is None
    assert curves.precision_recall_curve(SCORES, np.zeros(5, bool)) is None
    assert curves.coverage_error_curve([], []) is None
    assert curves.reliability_bins([], []) == []


def test_the_bins_add_up_to_the_calibration_error():
    generator = np.random.default_rng(1)
    logits, targets = generator.normal(size=(300, 4)) * 2, generator.integers(0, 4, 300)
    confidence = softmax(logits).max(axis=1)
    bins = curves.reliability_bins(confidence, logits.argmax(axis=1) == targets)
    error = sum(each.images * abs(each.right - each.confidence) for each in bins) / 300
    assert error == pytest.approx(expected_calibration_error(logits, targets))
    assert sum(each.images for each in bins) == 300


def test_coverage_and_error():
    x, y, threshold = curves.coverage_error_curve(SCORES, SHOWN)
    np.testing.assert_allclose(x, [1 / 5, 3 / 5, 4 / 5, 1])
    np.testing.assert_allclose(y, [0, 1 / 3, 2 / 4, 2 / 5])
    assert threshold.tolist() == [0.9, 0.8, 0.4, 0.2]
