"""Bounds of a loss against SciPy's exact ones, and against what they claim: their level."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from edgekd.metrics import effective_images, least_images, loss_bounds
from edgekd.metrics.exact import beta_quantile


def bounds(lost: int, gained: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Of n images that weigh the same."""
    losses = np.zeros(n)
    losses[:lost] = 1 / n
    losses[n - gained :] = -1 / n
    return loss_bounds(losses, np.full(n, 1 / n), level)


@given(st.sampled_from([0.05, 0.5, 0.975]), st.floats(-1.5, 4), st.floats(-1.5, 4))
@settings(max_examples=200, deadline=None)
def test_quantiles_agree_with_scipy(level, log_a, log_b):
    a, b = 10**log_a, 10**log_b
    assert beta_quantile(level, a, b) == pytest.approx(beta.ppf(level, a, b), rel=1e-7, abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 20, 60, 1000])
def test_without_gains_the_bound_is_the_exact_one(n):
    for lost in {0, 1, n // 3, n - 1, n}:
        exact = binomtest(lost, n, alternative="less").proportion_ci(0.95, method="exact").high
        assert bounds(lost, 0, n)[1] == pytest.approx(exact, rel=1e-6)
        assert bounds(0, lost, n)[0] == pytest.approx(-exact, rel=1e-6)


def test_figures_of_the_issue():
    """The paired bootstrap gave 0.0 points for none of 60 and 5.0 for one."""
    assert bounds(0, 0, 60)[1] == pytest.approx(1 - 0.05 ** (1 / 60))  # 4.9 points
    assert bounds(1, 0, 60)[1] == pytest.approx(0.0766, abs=1e-4)
    assert bounds(1, 0, 60, 0.975)[1] == pytest.approx(0.0894, abs=1e-4)


@pytest.mark.parametrize("limit", [0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.5, 0.9])
def test_least_number_is_that_of_the_bound(limit):
    n = least_images(limit)
    assert bounds(0, 0, n)[1] <= limit < bounds(0, 0, n - 1)[1] if n > 1 else limit >= 0.95 - 1e-9


def test_least_numbers():
    assert [least_images(limit) for limit in (0.05, 0.1, 0.15, 1.0)] == [59, 29, 19, 0]
    assert effective_images(bounds(0, 0, 60)[1]) == pytest.approx(60)
    assert least_images(1 - 0.05 ** (1 / 60)) == 60  # the bound itself, whatever its last bit


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_bounds_enclose_the_loss(n, lost_share, gained_share):
    lost = round(lost_share * n)
    gained = round(gained_share * (n - lost))
    low, high = bounds(lost, gained, n)
    assert -1 <= low <= (lost - gained) / n <= high <= 1


def test_a_gain_is_credited_and_a_loss_is_not_forgotten():
    assert bounds(3, 3, 60)[1] < bounds(3, 0, 60)[1]
    assert bounds(0, 6, 60)[1] < 0  # sure to be better
    assert bounds(1, 0, 60)[1] > bounds(0, 0, 60)[1]


def test_units_that_say_the_same_count_as_one():
    """Of 120 images in 60 pairs, both of three pairs lost, as three of 60."""
    losses = np.zeros(60)
    losses[:3] = 2 / 120
    assert loss_bounds(losses, np.full(60, 2 / 120)) == pytest.approx(bounds(3, 0, 60))


def test_a_loss_in_half_of_a_unit_counts_as_half():
    losses = np.zeros(60)
    losses[:6] = 1 / 120
    _, high = loss_bounds(losses, np.full(60, 2 / 120))
    assert bounds(6, 0, 120)[1] < high < bounds(6, 0, 60)[1]


def test_unlike_weights_are_worth_fewer_images():
    weights = np.array([0.5, *np.full(50, 0.01)])
    nothing = loss_bounds(np.zeros(51), weights)[1]
    assert effective_images(nothing) < 1 / (weights**2).sum() < 51
    assert loss_bounds(weights, weights)[1] == 1.0


# ---- the level, computed rather than drawn ----


def table(n: int, lost: float, gained: float) -> Iterator[tuple[int, int, float]]:
    """Every count of lost and gained images that is not all too unlikely, with its probability."""
    for b in range(n + 1):
        for c in range(n - b + 1):
            chance = comb(n, b) * comb(n - b, c) * lost**b * gained**c
            chance *= (1 - lost - gained) ** (n - b - c)
            if chance > 1e-9:
                yield b, c, chance


@pytest.mark.parametrize("n", [60, 100])
@pytest.mark.parametrize("limit", [0.05, 0.1, 0.15])
@pytest.mark.parametrize("gained", [0.0, 0.01, 0.05, 0.15])
def test_a_loss_at_the_limit_is_excluded_in_at_most_5_percent(n, limit, gained):
    cases = table(n, limit + gained, gained)
    assert sum(chance for b, c, chance in cases if bounds(b, c, n)[1] <= limit) < 0.05


def test_least_images_agree_with_the_definition():
    assert 0.95 ** least_images(0.05) <= 0.05 < 0.95 ** (least_images(0.05) - 1)
    assert log(0.05) / log(0.95) < least_images(0.05) < log(0.05) / log(0.95) + 1
