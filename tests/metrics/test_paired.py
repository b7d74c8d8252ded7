"""Paired drops against counts, against exact bounds, and where there is little to resample."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from edgekd import metrics
from edgekd.errors import InputError


def logits_of(right, targets, k):
    """Logits whose top class is the true one exactly where `right`."""
    decided = np.where(right, targets, (targets + 1) % k)
    return np.eye(k)[decided]


def one_class(n, lost, gained=0, *, seed=0):
    """The drop of a class of n images of which `lost` and `gained` changed."""
    images = np.arange(n)
    targets = np.zeros(n, int)
    before = logits_of(images >= gained, targets, 2)
    after = logits_of((images < gained) | (images < n - lost), targets, 2)
    found = metrics.paired_drops(before, after, targets, seed=seed).classes[0]
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
    # The same draw, so the same interval as the difference that other reports show.
    value, low, high = metrics.balanced_accuracy_difference(after, before, targets)
    drop = found.balanced_accuracy_drop
    assert (drop.value, drop.low, drop.high) == pytest.approx((value, low, high))


def test_pairs_stay_together():
    """What is hard for both costs no width: as many changes are as wide beside many mistakes."""
    before, after, targets = noisy(noise=0.1)
    found = metrics.paired_drops(before, after, targets)
    for each in found.classes:
        alone = metrics.wilson(round(each.sensitivity_after * each.n), each.n)
        assert each.drop.high - each.drop.low < 0.6 * (alone.high - alone.low)


@pytest.mark.parametrize(("n", "k"), [(1, 2), (3, 2)])
def test_one_image_or_none_has_no_interval(n, k):
    targets = np.array([0] * n + [1, 1])
    before = logits_of(np.ones(n + 2, bool), targets, k + 1)
    found = metrics.paired_drops(before, before, targets)
    assert (found.classes[0].drop.low is None) == (n < 2)
    assert found.classes[1].drop.low == 0.0
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


def test_draw_is_seeded():
    case = noisy(n=300)
    first, again, other = (metrics.paired_drops(*case, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_bound_is_a_count_over_the_images_without_rounding():
    """3 of 20 must not exceed a limit of 0.15."""
    assert one_class(20, 1).drop.high in {count / 20 for count in range(21)}


# ---- how the bound stands beside exact ones ----


def exact_upper(lost, n):
    """Upper end of the two-sided 95 % interval of a proportion (Clopper, Pearson 1934)."""
    return beta.ppf(0.975, lost + 1, n - lost)


@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize(
    ("lost", "at_least"), [(1, 0.5), (2, 0.65), (3, 0.65), (5, 0.75), (10, 0.85), (20, 0.9)]
)
def test_upper_bound_beside_the_exact_one(n, lost, at_least):
    """Too low for one lost image, as the docstring says, and close from ten on."""
    ratios = [one_class(n, lost, seed=seed).drop.high / exact_upper(lost, n) for seed in range(3)]
    assert at_least < min(ratios)
    assert max(ratios) < 1.02


def test_nothing_changed_is_seen_as_nothing():
    """What the bound cannot see, however few the images."""
    assert one_class(30, 0).drop == metrics.Estimate(value=0.0, low=0.0, high=0.0)
    assert exact_upper(0, 30) > 0.11


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
            if p < 0.01:
                assert sure
            if p > 0.3:
                assert not sure
            verdicts.add((sure, p < 0.05))
    assert {(True, True), (False, False)} <= verdicts


@pytest.mark.parametrize(
    ("lost_share", "gained_share", "n", "most"),
    [(0.05, 0.02, 500, 0.05), (0.05, 0.05, 200, 0.05), (0.02, 0.0, 1000, 0.07)],
)
def test_true_drop_is_seldom_above_the_bound_with_enough_images(lost_share, gained_share, n, most):
    """Nominal is 2.5 %; ten and more losses are expected here."""
    generator = np.random.default_rng(5)
    shares = [lost_share, gained_share, 1 - lost_share - gained_share]
    draws = generator.multinomial(n, shares, size=300).tolist()
    bounds = {pair: one_class(n, *pair).drop.high for pair in {tuple(d[:2]) for d in draws}}
    above = np.mean([bounds[lost, gained] < lost_share - gained_share for lost, gained, _ in draws])
    assert above < most


def test_a_thousand_images_take_a_moment():
    case = noisy()
    metrics.paired_drops(*case)
    start = time.process_time()
    metrics.paired_drops(*case)
    assert time.process_time() - start < 0.1
