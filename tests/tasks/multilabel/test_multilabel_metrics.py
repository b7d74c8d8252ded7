from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from edgekd.errors import InputError
from edgekd.metrics.task import metrics_task
from edgekd.tasks.multilabel.metrics import Metrics

FINDINGS = ("network", "streaks", "veil")


def drawn(images: int, seed: int = 0, noise: float = 1.5) -> tuple[Any, Any]:
    """Logits that follow the targets through noise, and the targets, each [N, 3]."""
    generator = np.random.default_rng(seed)
    targets = (generator.random((images, 3)) < (0.5, 0.3, 0.15)).astype(np.float32)
    logits = (2 * targets - 1 + generator.normal(0, noise, targets.shape)).astype(np.float32)
    return logits, targets


def test_layer_is_found_by_the_name_of_the_task() -> None:
    layer = metrics_task("multilabel")
    assert isinstance(layer, Metrics)
    assert layer.selection_metric in msgspec.structs.asdict(layer.evaluate(*drawn(50), FINDINGS))


def test_values_are_those_of_scikit_learn() -> None:
    logits, targets = drawn(400)
    metrics = Metrics().evaluate(logits, targets, FINDINGS)
    present = logits >= 0
    columns = range(3)
    recalls = [recall_score(targets[:, k], present[:, k]) for k in columns]
    kept = [recall_score(1 - targets[:, k], ~present[:, k]) for k in columns]
    assert metrics.balanced_accuracy is not None
    assert metrics.macro_f1 is not None
    assert metrics.macro_auroc is not None
    assert metrics.accuracy is not None
    assert metrics.balanced_accuracy.value == pytest.approx(np.mean([recalls, kept]), rel=1e-12)
    assert metrics.macro_f1.value == pytest.approx(f1_score(targets, present, average="macro"))
    assert metrics.macro_auroc.value == pytest.approx(roc_auc_score(targets, logits))
    assert metrics.accuracy.value == np.mean((present == targets).all(axis=1))
    for index, name in enumerate(FINDINGS):
        finding = metrics.per_class[name]
        assert finding.sensitivity.value == pytest.approx(recalls[index])
        assert finding.specificity.value == pytest.approx(kept[index])
        assert finding.n == targets[:, index].sum()


def test_finding_of_no_image_is_left_out_of_the_means() -> None:
    logits, targets = drawn(200)
    targets[:, 2] = 0
    metrics = Metrics().evaluate(logits, targets, FINDINGS)
    pair = Metrics().evaluate(logits[:, :2], targets[:, :2], FINDINGS[:2])
    assert metrics.balanced_accuracy == pair.balanced_accuracy
    assert metrics.macro_auroc == pair.macro_auroc
    assert metrics.per_class["veil"].sensitivity.value is None
    assert metrics.per_class["veil"].n == 0
    assert metrics.balanced_accuracy is not None
    assert metrics.balanced_accuracy.low is not None


def test_intervals_hold_the_value_and_narrow_with_images() -> None:
    few, many = (Metrics().evaluate(*drawn(images), FINDINGS) for images in (60, 1500))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "ece"):
        wide, narrow = getattr(few, name), getattr(many, name)
        assert wide.low <= wide.value <= wide.high
        assert narrow.high - narrow.low < wide.high - wide.low


def test_images_of_one_patient_count_as_one() -> None:
    logits, targets = drawn(120)
    groups = np.repeat(np.arange(120), 6)
    repeated = np.repeat(logits, 6, 0), np.repeat(targets, 6, 0)
    alone = Metrics().evaluate(logits, targets, FINDINGS)
    grouped = Metrics().evaluate(*repeated, FINDINGS, groups=groups)
    naive = Metrics().evaluate(*repeated, FINDINGS)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc"):
        widths = [getattr(one, name).high - getattr(one, name).low for one in (alone, grouped)]
        assert widths[1] == pytest.approx(widths[0], rel=0.15)
        assert getattr(naive, name).high - getattr(naive, name).low < 0.6 * widths[0]
    sensitivity = grouped.per_class["veil"].sensitivity
    assert sensitivity.low == pytest.approx(alone.per_class["veil"].sensitivity.low, abs=0.02)


def test_no_bounds_where_one_patient_alone_has_a_finding() -> None:
    logits, targets = drawn(60)
    targets[:, 2] = 0
    targets[:4, 2] = 1
    groups = ["a"] * 4 + [f"b{index}" for index in range(56)]
    metrics = Metrics().evaluate(logits, targets, FINDINGS, groups=groups)
    assert metrics.balanced_accuracy is not None
    assert metrics.balanced_accuracy.value is not None
    assert metrics.balanced_accuracy.low is None
    assert Metrics().evaluate(logits, targets, FINDINGS).balanced_accuracy.low is not None  # type: ignore[union-attr]


def test_nothing_is_known_without_images() -> None:
    metrics = Metrics().evaluate(np.zeros((0, 3)), np.zeros((0, 3)), FINDINGS)
    assert metrics.balanced_accuracy is not None
    assert metrics.balanced_accuracy.value is None
    assert metrics.accuracy is not None
    assert metrics.accuracy.value is None
    difference = Metrics().difference(*[np.zeros((0, 3))] * 3, FINDINGS)
    assert (difference.agreement, difference.flips) == (None, 0)
    assert difference.deltas["balanced_accuracy"].value is None


def test_selection_is_the_balanced_accuracy() -> None:
    logits, targets = drawn(300)
    metrics = Metrics().evaluate(logits, targets, FINDINGS)
    assert metrics.balanced_accuracy is not None
    assert Metrics().selection(logits, targets) == metrics.balanced_accuracy.value
    assert Metrics().selection(logits, np.zeros_like(targets)) == 0.5


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (np.zeros((3, 2)), np.zeros(3), "do not fit together"),
        (np.zeros((3, 2)), np.zeros((3, 3)), "do not fit together"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "not finite"),
        (np.full((3, 2), np.inf), np.zeros((3, 2)), "not finite"),
        (np.zeros((3, 2)), np.full((3, 2), 2), "neither 0 nor 1"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), "neither 0 nor 1"),
        (np.zeros((3, 3)), np.zeros((3, 3)), "2 names do not fit 3 findings"),
    ],
)
def test_wrong_arrays_are_refused(logits: Any, targets: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Metrics().evaluate(logits, targets, FINDINGS[:2])
