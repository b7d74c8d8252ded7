"""The promise of the sets on fresh images, and the quantile at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from edgekd import metrics
from edgekd.errors import InputError
from edgekd.tasks.classification.decision import prediction_set


def draw(generator, n, k=5):
    """Images of an overconfident model: what conformal sets are for."""
    targets = generator.integers(0, k, n)
    logits = generator.normal(size=(n, k))
    logits[np.arange(n), targets] += 1.0
    return metrics.softmax(3 * logits), targets


@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 60),
    coverage=st.sampled_from([0.5, 0.8, 0.9, 0.95]),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_sets_hold_the_true_class_as_often_as_asked(seed, n, coverage):
    """Marginally: over the images fitted on and one fresh image each."""
    generator = np.random.default_rng(seed)
    trials, held = 300, 0
    for _ in range(trials):
        probabilities, targets = draw(generator, n + 1)
        quantile = metrics.conformal_quantile(probabilities[:n], targets[:n], coverage)
        held += bool(prediction_set(probabilities[n], quantile)[targets[n]])
    assert held >= binom.ppf(1e-4, trials, coverage)


def test_sets_are_not_larger_than_the_promise_needs():
    """Without ties the coverage is at most 1 - α + 1 / (n + 1)."""
    generator = np.random.default_rng(0)
    held = []
    for _ in range(200):
        fitted, fresh = draw(generator, 49), draw(generator, 200)
        sets = prediction_set(fresh[0], metrics.conformal_quantile(*fitted, 0.8))
        held.append(sets[np.arange(200), fresh[1]].mean())
    assert 0.79 < np.mean(held) < 0.83


def test_quantile_is_an_observed_score():
    # Scores of the true class: 0.1, 0.2, …, 0.9.
    truth = np.arange(1, 10) / 10
    probabilities = np.stack([1 - truth, truth], axis=1)
    targets = np.zeros(9, int)
    quantile = metrics.conformal_quantile(probabilities, targets, 0.5)  # the fifth of nine
    assert quantile == 1.0 - probabilities[4, 0]
    assert metrics.conformal_quantile(probabilities, targets, 0.9) == 1.0 - probabilities[8, 0]
    # The fitted image whose score it is has its class in its own set, to the last bit.
    assert prediction_set(probabilities, quantile)[:, 0].sum() == 5


@pytest.mark.parametrize(("n", "certain"), [(0, False), (8, False), (18, False), (19, True)])
def test_too_few_images_exclude_nothing(n, certain):
    probabilities = np.tile([0.9, 0.1], (n, 1))
    quantile = metrics.conformal_quantile(probabilities, np.zeros(n, int), 0.95)
    assert (quantile < 1.0) == certain
    assert prediction_set([0.0, 1.0], quantile).tolist() == [not certain, True]


def test_more_coverage_gives_larger_sets():
    probabilities, targets = draw(np.random.default_rng(1), 300)
    quantiles = [metrics.conformal_quantile(probabilities, targets, c) for c in (0.5, 0.8, 0.95)]
    sizes = [prediction_set(probabilities, quantile).sum() for quantile in quantiles]
    assert quantiles == sorted(quantiles)
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("coverage", [0.0, 1.1])
def test_coverage_out_of_range(coverage):
    with pytest.raises(InputError):
        metrics.conformal_quantile([[0.5, 0.5]], [0], coverage)
