"""Paired drops against counts, against exact bounds, and where there are few images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from edgekd import metrics
from edgekd.errors import InputError


def logits_of(right, targets, k):
    """Logits whose top class is the true one exactly where `right`."""
    decided = np.where(right, targets, (targets + 1) % k)
    return np.eye(k)[decided]


def one_class(n, lost, gained=0):
    """The drop of a class of n images of which `lost` and `gained` changed."""
    images = np.arange(n)
    targets = np.zeros(n, int)
    before = logits_of(images >= gained, targets, 2)
    after = logits_of((images < gained) | (images < n - lost), targets, 2)
    found = metrics.paired_drops(before, after, targets).classes[0]
    assert (found.n, found.lost, found.gained) == (n, lost, gained)
    return found


def noisy(n=1000, k=7, seed=0, noise=0.3):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, k, n)
    before = generator.normal(size=(n, k))
    before[np.arange(n), targets] += 2
    return before, before + generator.normal(size=before.shape) * noise, targets


def test_counts_of_a_small_case():
    targets = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    before = logits_of(np.array([1, 1, 1, 0, 1, 0, 0, 1, 1], bool), targets, 4)
    after = logits_of(np.array([1, 0, 0, 1, 1, 1, 0, 1, 1], bool), targets, 4)
    found = metrics.paired_drops(before, after, targets)
    assert [each.n for each in found.classes] == [4, 3, 2, 0]
    assert [each.lost for each in found.classes] == [2, 0, 0, 0]
    assert [each.gained for each in found.classes] == [1, 1, 0, 0]
    assert [each.sensitivity_before for each in found.classes] == [0.75, 1 / 3, 1.0, None]
    assert [each.sensitivity_after for each in found.classes] == [0.5, 2 / 3, 1.0, None]
    assert [each.drop.value for each in found.classes] == [0.25, -1 / 3, 0.0, None]
    assert found.balanced_accuracy_drop.value == pytest.approx((0.25 - 1 / 3) / 3)


@pytest.mark.parametrize("absent", [0, 2])
def test_drops_are_the_differences_of_the_metrics(absent):
    before, after, targets = noisy()
    before, after = (np.pad(x, ((0, 0), (0, absent)), constant_values=-9) for x in (before, after))
    found = metrics.paired_drops(before, after, targets)
    was = metrics.sensitivity(metrics.confusion_matrix(before, targets))
    now = metrics.sensitivity(metrics.confusion_matrix(after, targets))
    assert [each.sensitivity_before for each in found.classes] == pytest.approx(was)
    assert [each.sensitivity_after for each in found.classes] == pytest.approx(now)
    for each in found.classes[:7]:
        assert each.drop.low <= each.drop.value <= each.drop.high
    # The difference that other reports show is the same at the level of a 95 % interval.
    wide = metrics.paired_drops(before, after, targets, level=0.975).balanced_accuracy_drop
    value, low, high = metrics.balanced_accuracy_difference(after, before, targets)
    assert (wide.value, wide.low, wide.high) == pytest.approx((value, low, high))
    drop = found.balanced_accuracy_drop
    assert wide.low < drop.low < drop.value == wide.value < drop.high < wide.high
    gain = (after.argmax(axis=1) == targets).astype(float) - (before.argmax(axis=1) == targets)
    drawn = metrics.recall_difference(-gain, targets)
    assert (low, high) == pytest.approx((drawn.low, drawn.high), abs=0.004)


def test_pairs_stay_together():
    """What is hard for both costs no width: as many changes are as wide beside many mistakes."""
    before, after, targets = noisy(noise=0.1)
    found = metrics.paired_drops(before, after, targets)
    for each in found.classes:
        alone = metrics.wilson(round(each.sensitivity_after * each.n), each.n)
        assert each.drop.high - each.drop.low < 0.6 * (alone.high - alone.low)


@pytest.mark.parametrize(("n", "k"), [(1, 2), (3, 2)])
def test_one_image_excludes_next_to_nothing(n, k):
    targets = np.array([0] * n + [1, 1])
    before = logits_of(np.ones(n + 2, bool), targets, k + 1)
    found = metrics.paired_drops(before, before, targets)
    assert found.classes[0].drop.high == pytest.approx(1 - 0.05 ** (1 / n))
    assert found.classes[1].drop.low == -found.classes[1].drop.high
    assert found.classes[k].drop == metrics.Estimate(value=None)
    assert found.balanced_accuracy_drop.value == 0.0
    assert (found.balanced_accuracy_drop.low is None) == (n < 2)


def test_no_images_have_no_drops():
    found = metrics.paired_drops(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, int))
    assert [each.n for each in found.classes] == [0, 0, 0]
    assert found.balanced_accuracy_drop == metrics.Estimate(value=None)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_row_that_is_not_finite_is_a_wrong_decision(bad):
    before, _, targets = noisy(n=200)
    after = before.copy()
    rows = np.flatnonzero(before.argmax(axis=1) == targets)[:5]
    after[rows, targets[rows]] = bad
    found = metrics.paired_drops(before, after, targets)
    assert sum(each.lost for each in found.classes) == 5
    with pytest.raises(InputError, match="not finite"):
        metrics.paired_drops(after, before, targets)


def test_other_images_are_refused():
    before, after, targets = noisy(n=20)
    with pytest.raises(InputError, match="same images"):
        metrics.paired_drops(before, after[:-1], targets)


def test_bounds_are_the_exact_ones_where_few_are_lost():
    """None of 60, and one: today's gate let the second pass at five points."""
    assert one_class(60, 0).drop.high == pytest.approx(1 - 0.05 ** (1 / 60))
    assert one_class(60, 1).drop.high == pytest.approx(beta.ppf(0.95, 2, 59))
    assert one_class(60, 1).drop.low < 0.0


def test_balanced_accuracy_is_not_certain_where_nothing_changed():
    """Four classes of 100: what none of 400 excludes."""
    targets = np.arange(400) % 4
    before = logits_of(np.ones(400, bool), targets, 4)
    found = metrics.paired_drops(before, before, targets).balanced_accuracy_drop
    assert found.value == 0.0
    assert found.high == pytest.approx(1 - 0.05 ** (1 / 400))


def test_a_rare_class_makes_balanced_accuracy_less_certain():
    def high(rare):
        targets = np.repeat([0, 1, 2], [200, 200, rare])
        before = logits_of(np.ones(targets.size, bool), targets, 3)
        return metrics.paired_drops(before, before, targets).balanced_accuracy_drop.high

    assert high(2) > high(5) > high(20) > high(200)
    assert high(2) > 0.2


def test_images_of_one_lesion_are_one_unit():
    targets = np.repeat([0, 1], [120, 120])
    before = logits_of(np.ones(240, bool), targets, 2)
    lesions = np.arange(240) // 2
    found = metrics.paired_drops(before, before, targets, groups=lesions)
    assert (found.classes[0].n, found.classes[0].groups) == (120, 60)
    assert found.classes[0].drop.high == pytest.approx(1 - 0.05 ** (1 / 60))
    assert found.balanced_accuracy_drop.high == pytest.approx(1 - 0.05 ** (1 / 120))
    after = before.copy()
    after[:2] = np.roll(after[:2], 1, axis=1)  # one lesion
    found = metrics.paired_drops(before, after, targets, groups=lesions).classes[0]
    assert (found.lost, found.drop.value) == (2, 2 / 120)
    assert found.drop.high == pytest.approx(beta.ppf(0.95, 2, 59))


def test_a_class_of_one_lesion_leaves_balanced_accuracy_without_bounds():
    targets = np.array([0] * 5 + [1] * 5)
    before = logits_of(np.ones(10, bool), targets, 2)
    groups = [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]
    found = metrics.paired_drops(before, before, targets, groups=groups)
    assert found.balanced_accuracy_drop == metrics.Estimate(value=0.0)


@pytest.mark.parametrize("n", [60, 300])
def test_agrees_with_the_exact_test_of_mcnemar(n):
    """Losses against gains: sure where the exact test is sure, unsure where it is unsure."""
    verdicts = set()
    for lost in range(0, 16, 3):
        for gained in range(0, 16, 3):
            if lost + gained == 0:
                continue
            p = binomtest(lost, lost + gained, 0.5).pvalue
            drop = one_class(n, lost, gained).drop
            sure = drop.low > 0 or drop.high < 0
            if p < 0.02:
                assert sure
            if p > 0.2:
                assert not sure
            verdicts.add((sure, p < 0.05))
    assert {(True, True), (False, False)} <= verdicts
