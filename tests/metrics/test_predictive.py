"""Predictive values against Bayes' rule, at the edges, and their intervals by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekd.errors import InputError
from edgekd.metrics import Interval, share_interval
from edgekd.metrics.predictive import predictive_values, share_ratio


def decided(n_shown: int, right: int, n_not_shown: int, alarms: int):
    """Flags (named, excluded, shown) of a device that answers every image."""
    named = np.r_[np.arange(n_shown) < right, np.arange(n_not_shown) < alarms]
    shown = np.r_[np.ones(n_shown, bool), np.zeros(n_not_shown, bool)]
    return named, ~named, shown


def test_bayes_rule():
    positive, negative = predictive_values(*decided(100, 90, 200, 20), prevalence=0.02)
    assert positive.value == pytest.approx(0.9 * 0.02 / (0.9 * 0.02 + 0.1 * 0.98))
    assert negative.value == pytest.approx(0.9 * 0.98 / (0.9 * 0.98 + 0.1 * 0.02))
    assert positive.low < positive.value < positive.high
    assert negative.low < negative.value < negative.high


def test_at_the_prevalence_of_the_images_they_are_counted_shares():
    positive, negative = predictive_values(*decided(50, 40, 150, 30), prevalence=0.25)
    assert positive.value == pytest.approx(40 / 70)
    assert negative.value == pytest.approx(120 / 130)


def test_referred_images_count_in_neither():
    named, excluded, shown = decided(10, 8, 30, 6)
    referred = np.zeros(40, bool)
    referred[[0, 9, 10, 39]] = True
    positive, negative = predictive_values(named & ~referred, excluded & ~referred, shown, 0.25)
    assert positive.value == pytest.approx(7 / (7 + 5))
    assert negative.value == pytest.approx(23 / (23 + 1))


def test_no_false_alarm_is_no_certainty():
    positive, _ = predictive_values(*decided(50, 40, 60, 0), prevalence=0.02)
    assert (positive.value, positive.high) == (1.0, 1.0)
    assert 0.1 < positive.low < 0.5
    _, negative = predictive_values(*decided(50, 50, 60, 5), prevalence=0.02)
    assert negative.value == 1.0 > negative.low > 0.99


def test_undefined_values():
    positive, negative = predictive_values(*decided(20, 0, 20, 0), prevalence=0.1)
    assert positive == Interval(None)
    assert negative.value == pytest.approx(0.9)
    positive, _ = predictive_values(*decided(0, 0, 20, 5), prevalence=0.1)
    assert positive == Interval(None)
    positive, _ = predictive_values(*decided(1, 1, 20, 5), prevalence=0.1)
    assert positive.value is not None
    assert positive.low is None


@pytest.mark.parametrize("prevalence", [0.0, 1.0, 2.0, math.nan])
def test_an_impossible_prevalence(prevalence):
    with pytest.raises(InputError, match="impossible"):
        predictive_values(*decided(5, 5, 5, 5), prevalence=prevalence)


def test_groups_are_the_units():
    flags = decided(60, 48, 60, 12)
    alone = predictive_values(*flags, prevalence=0.1).positive
    groups = np.arange(120) // 6
    wider = predictive_values(*flags, prevalence=0.1, groups=groups).positive
    assert wider.value == alone.value
    assert wider.low < alone.low
    assert wider.high > alone.high


def test_a_ratio_is_the_inverse_of_its_inverse():
    first, second = share_interval(np.arange(40) < 30), share_interval(np.arange(50) < 5)
    ratio, inverse = share_ratio(first, second), share_ratio(second, first)
    assert ratio.value == pytest.approx(7.5)
    assert (1 / ratio.low, 1 / ratio.high) == pytest.approx((inverse.high, inverse.low))


@pytest.mark.simulation
@pytest.mark.parametrize(("sensitivity", "alarms"), [(0.85, 0.1), (0.6, 0.02), (0.97, 0.3)])
@pytest.mark.parametrize(("n_shown", "n_not_shown"), [(30, 80), (170, 1000)])
def test_intervals_hold_what_they_promise(sensitivity, alarms, n_shown, n_not_shown):
    generator = np.random.default_rng(0)
    prevalence, runs, covered = 0.02, 4000, 0
    odds = prevalence / (1 - prevalence) * sensitivity / alarms
    truth = odds / (1 + odds)
    for right, wrong in zip(
        generator.binomial(n_shown, sensitivity, runs),
        generator.binomial(n_not_shown, alarms, runs),
        strict=True,
    ):
        flags = decided(n_shown, right, n_not_shown, wrong)
        positive = predictive_values(*flags, prevalence=prevalence).positive
        covered += positive.value is None or positive.low <= truth <= positive.high
    assert 0.935 < covered / runs < 0.99
