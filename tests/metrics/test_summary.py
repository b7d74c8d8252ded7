from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score

from edgekd.errors import InputError
from edgekd.metrics import Metrics, metrics_of, share_interval
from edgekd.metrics.summary import Estimate

CLASSES = ("a", "b", "c")
GENERATOR = np.random.default_rng(5)
TARGETS = GENERATOR.integers(0, 3, 150)
LOGITS = np.eye(3)[TARGETS] + GENERATOR.normal(0, 1, (150, 3))
DECIDED = LOGITS.argmax(axis=1)


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert estimate.value is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= estimate.value <= estimate.high
    return estimate.value


def test_values_are_those_of_scikit_learn() -> None:
    metrics = metrics_of(LOGITS, TARGETS, CLASSES, ordered=True)
    assert value(metrics.accuracy) == np.mean(DECIDED == TARGETS)
    assert value(metrics.balanced_accuracy) == pytest.approx(
        balanced_accuracy_score(TARGETS, DECIDED)
    )
    assert value(metrics.macro_f1) == pytest.approx(f1_score(TARGETS, DECIDED, average="macro"))
    kappa = cohen_kappa_score(TARGETS, DECIDED, weights="quadratic")
    assert value(metrics.quadratic_kappa) == pytest.approx(kappa)


def test_each_class_is_set_against_the_rest() -> None:
    metrics = metrics_of(LOGITS, TARGETS, CLASSES)
    assert metrics.quadratic_kappa is None
    for index, name in enumerate(CLASSES):
        own = index == TARGETS
        wanted = share_interval(DECIDED[own] == index)
        sensitivity = metrics.per_class[name].sensitivity
        assert (sensitivity.value, sensitivity.low, sensitivity.high) == wanted
        assert metrics.per_class[name].n == own.sum()


def test_metrics_of_earlier_results_are_read() -> None:
    written = json.loads(msgspec.json.encode(metrics_of(LOGITS, TARGETS, CLASSES)))
    del written["measures"]
    read = msgspec.json.decode(json.dumps(written), type=Metrics)
    assert read == metrics_of(LOGITS, TARGETS, CLASSES)


def test_a_task_may_lack_every_metric_and_have_its_own() -> None:
    metrics = Metrics(measures={"error_mm": Estimate(value=0.4, low=0.3, high=0.5)})
    assert msgspec.json.decode(msgspec.json.encode(metrics), type=Metrics) == metrics
    assert (metrics.balanced_accuracy, metrics.per_class) == (None, {})


def test_target_beyond_the_classes_is_refused() -> None:
    with pytest.raises(InputError, match="do not fit 3 classes"):
        metrics_of(LOGITS, TARGETS + 1, CLASSES)
