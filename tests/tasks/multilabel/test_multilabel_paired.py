from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekd.errors import InputError
from edgekd.metrics import loss_bounds, paired_drops
from edgekd.tasks.multilabel.metrics import Metrics
from edgekd.tasks.multilabel.paired import finding_drops, specificity_drops

FINDINGS = ("network", "veil")


def perfect(images: int = 200) -> tuple[Any, Any]:
    """Logits that are right throughout, and targets [N, 2]; every fourth image has the second."""
    targets = np.zeros((images, 2), np.float32)
    targets[::2, 0], targets[::4, 1] = 1, 1
    return 8 * targets - 4, targets


def test_lost_positives_are_counted_by_finding() -> None:
    before, targets = perfect()
    after = before.copy()
    after[[0, 4, 8], 1] = -1.0
    drops = finding_drops(before, after, targets)
    network, veil = drops.classes
    assert (network.lost, network.gained, network.n) == (0, 0, 100)
    assert (veil.lost, veil.n, veil.groups) == (3, 50, 50)
    assert veil.drop.value == pytest.approx(0.06)
    # The exact bound of 3 of 50 (Clopper, Pearson 1934).
    assert veil.drop.high == pytest.approx(0.1477, abs=2e-4)
    assert specificity_drops(before, after, targets) == [0.0, 0.0]
    # One side of one of two findings: a quarter of its drop.
    assert drops.balanced_accuracy_drop.value == pytest.approx(0.06 / 4)
    assert drops.balanced_accuracy_drop.high is not None
    assert drops.balanced_accuracy_drop.high > 0.015


def test_one_finding_is_two_classes() -> None:
    """A single finding has the drops of a classifier of present and absent."""
    generator = np.random.default_rng(3)
    targets = (generator.random(300) < 0.3).astype(int)
    before, after = (
        (2.0 * targets - 1 + generator.normal(0, 1, 300)).astype(np.float32) for _ in range(2)
    )
    as_classes = [np.stack([np.zeros(300), logits], axis=1) for logits in (before, after)]
    wanted = paired_drops(*as_classes, targets)
    drops = finding_drops(before[:, None], after[:, None], targets[:, None])
    assert drops.classes[0] == wanted.classes[1]
    for name in ("value", "low", "high"):
        assert getattr(drops.balanced_accuracy_drop, name) == pytest.approx(
            getattr(wanted.balanced_accuracy_drop, name), rel=1e-9
        )
    (specificity,) = specificity_drops(before[:, None], after[:, None], targets[:, None])
    assert specificity == pytest.approx(wanted.classes[0].drop.value)


def test_false_alarms_are_a_drop_of_specificity() -> None:
    before, targets = perfect()
    after = before.copy()
    after[1:31:2, 0] = 1.0
    drops = finding_drops(before, after, targets)
    assert drops.classes[0].lost == 0
    assert specificity_drops(before, after, targets) == [pytest.approx(0.15), 0.0]
    assert drops.balanced_accuracy_drop.value == pytest.approx(0.15 / 4)


def test_row_that_is_not_finite_is_wrong_throughout() -> None:
    before, targets = perfect()
    after = before.copy()
    after[0, 0] = np.nan
    drops = finding_drops(before, after, targets)
    assert [finding.lost for finding in drops.classes] == [1, 1]


def test_findings_of_one_image_are_one_unit() -> None:
    """An image that loses both findings is one loss, not two independent ones."""
    before, targets = perfect(400)
    targets[:, 1] = targets[:, 0]
    before[:, 1] = before[:, 0]
    after = before.copy()
    after[[0, 2, 4, 6]] = -1.0
    drop = finding_drops(before, after, targets).balanced_accuracy_drop
    alone = finding_drops(before[:, :1], after[:, :1], targets[:, :1]).balanced_accuracy_drop
    assert drop.value == pytest.approx(alone.value)
    assert drop.high == pytest.approx(alone.high)
    independent = loss_bounds(
        np.r_[np.full(8, 1 / 800), np.zeros(792)], np.full(800, 1 / 800), 0.95
    )
    assert drop.high is not None
    assert drop.high > independent[1]


def test_images_of_one_patient_are_one_unit() -> None:
    before, targets = perfect()
    after = before.copy()
    after[:8:4, 1] = -1.0
    groups = np.arange(200) // 8
    grouped = finding_drops(before, after, targets, groups=groups)
    single = finding_drops(before, after, targets)
    assert grouped.classes[1].groups == 25
    assert grouped.classes[1].drop.high > single.classes[1].drop.high  # type: ignore[operator]


def test_no_bound_where_one_image_has_a_finding() -> None:
    before, targets = perfect()
    targets[:, 1] = 0
    targets[3, 1] = 1
    drop = finding_drops(before, before, targets).balanced_accuracy_drop
    assert (drop.value, drop.low, drop.high) == (0.0, None, None)
    targets[:, 1] = 0
    drop = finding_drops(before, before, targets).balanced_accuracy_drop
    assert drop.high is not None


def test_difference_has_the_sign_of_a_gain() -> None:
    before, targets = perfect()
    worse = before.copy()
    worse[:20:4, 1] = -1.0
    loss = Metrics().difference(before, worse, targets, FINDINGS)
    gain = Metrics().difference(worse, before, targets, FINDINGS)
    assert (loss.flips, loss.agreement) == (5, 0.975)
    delta, back = loss.deltas["balanced_accuracy"], gain.deltas["balanced_accuracy"]
    assert delta.value == pytest.approx(-0.025)
    assert delta.low < delta.value < delta.high  # type: ignore[operator]
    assert back.value == pytest.approx(0.025)
    assert back.low == pytest.approx(-delta.high)  # type: ignore[operator]


def test_logits_of_other_images_are_refused() -> None:
    before, targets = perfect()
    with pytest.raises(InputError, match="not of the same images"):
        finding_drops(before, before[:-1], targets)
