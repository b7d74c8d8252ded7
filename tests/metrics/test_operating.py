"""Thresholds as counts of images: by hand, by brute force, and on fresh images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekd import metrics
from edgekd.errors import InputError
from edgekd.metrics.operating import count_for


def two(positives, negatives):
    """Probabilities and targets of two classes, by what class 0 gets."""
    found = np.array([*positives, *negatives], float)
    return np.stack([found, 1 - found], axis=1), np.array(
        [0] * len(positives) + [1] * len(negatives)
    )


def case(n=400, k=4, seed=0, skill=1.5):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, k, n)
    logits = generator.normal(size=(n, k))
    logits[np.arange(n), targets] += skill
    return metrics.softmax(logits), targets


# ---- counts ----


@pytest.mark.parametrize(
    ("share", "n", "count"),
    [(0.55, 100, 55), (0.95, 20, 19), (0.95, 21, 20), (0.07, 100, 7), (1.0, 7, 7), (1e-9, 5, 1),
     (0.5, 0, 0)],
)  # fmt: skip
def test_count_of_a_decimal_share(share, n, count):
    assert count_for(share, n) == count


def test_floating_point_would_ask_for_one_image_more():
    assert math.ceil(0.55 * 100) == 56


@pytest.mark.parametrize("share", [0.0, -0.1, 1.0001, math.nan, math.inf])
def test_share_that_cannot_be_asked_for(share):
    with pytest.raises(InputError):
        count_for(share, 10)


# ---- operating point ----


def test_threshold_is_the_image_that_completes_the_share():
    probabilities, targets = two([i / 100 for i in range(1, 21)], [0.015, 0.02, 0.3, 0.001])
    found = metrics.operating_point(probabilities, targets, 0, 0.95)
    assert (found.threshold, found.n, found.requested) == (0.02, 20, 0.95)
    assert found.sensitivity.value == 19 / 20
    assert found.specificity.value == 2 / 4
    assert found.reason is None
    # All that reach it have the other class on top.
    assert found.referred.value == 21 / 24


def test_image_whose_top_class_it_is_is_not_referred_for_it():
    probabilities, targets = two([0.9] * 10 + [0.4] * 10, [0.45, 0.1])
    found = metrics.operating_point(probabilities, targets, 0, 1.0)
    assert found.threshold == 0.4
    assert found.referred.value == 11 / 22


def test_ties_are_all_found():
    probabilities, targets = two([0.5] * 15 + [0.2] * 15, [0.2, 0.1])
    assert metrics.operating_point(probabilities, targets, 0, 0.5).sensitivity.value == 0.5
    found = metrics.operating_point(probabilities, targets, 0, 0.6)
    assert found.threshold == 0.2
    assert found.sensitivity.value == 1.0
    assert found.specificity.value == 0.5


def test_too_few_images_are_no_evidence():
    probabilities, targets = two([0.9] * 19, [0.1] * 50)
    found = metrics.operating_point(probabilities, targets, 0, 0.9)
    assert (found.threshold, found.n, found.specificity.value) == (None, 19, None)
    assert found.reason == "19 images are fewer than 20"
    assert metrics.operating_point(probabilities, targets, 0, 0.9, min_images=19).threshold == 0.9
    none = metrics.operating_point(probabilities[19:], targets[19:], 0, 0.9, min_images=0)
    assert (none.threshold, none.reason) == (None, "0 images are fewer than 1")


def test_class_alone_has_no_specificity():
    probabilities, targets = two([0.9] * 30, [])
    assert metrics.operating_point(probabilities, targets, 0, 0.9).specificity.value is None


@given(
    scores=st.lists(st.integers(0, 8), min_size=1, max_size=40),
    percent=st.integers(1, 100),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_it_is_the_largest_threshold_that_does(scores, percent):
    positives = np.array(scores) / 8
    probabilities, targets = two(positives, [0.5])
    found = metrics.operating_point(probabilities, targets, 0, percent / 100, min_images=1)
    reached = (positives >= found.threshold).sum()
    assert found.sensitivity.value == reached / positives.size
    assert reached * 100 >= percent * positives.size
    larger = (positives > found.threshold).sum()
    assert larger * 100 < percent * positives.size


@pytest.mark.parametrize("n", [20, 100])
def test_new_images_reach_it_as_often_as_the_docstring_says(n):
    """⌈s·n⌉ / (n + 1), a little below the request."""
    generator = np.random.default_rng(3)
    reached = []
    for _ in range(400):
        fitted, fresh = generator.beta(2, 3, size=(2, n))
        found = metrics.operating_point(*two(fitted, [0.1]), 0, 0.95)
        reached.append((fresh >= found.threshold).mean())
    assert np.mean(reached) == pytest.approx(count_for(0.95, n) / (n + 1), abs=0.01)


def test_costs_have_the_interval_of_wilson():
    probabilities, targets = case()
    found = metrics.operating_point(probabilities, targets, 2, 0.95)
    negatives = probabilities[targets != 2, 2]
    expected = metrics.wilson(int((negatives < found.threshold).sum()), negatives.size)
    assert (found.specificity.value, found.specificity.low, found.specificity.high) == expected


@pytest.mark.parametrize("index", [-1, 4])
def test_class_that_is_none_is_refused(index):
    with pytest.raises(InputError, match=f"class {index}"):
        metrics.operating_point(*case(), index, 0.9)


@pytest.mark.parametrize("values", [[[2.0, -1.0]], [[0.5, 1.5]], [[np.nan, 0.5]]])
def test_values_that_are_no_probabilities_are_refused(values):
    with pytest.raises(InputError):
        metrics.operating_point(values, [0], 0, 0.9)
    with pytest.raises(InputError):
        metrics.refer_band_for_coverage(values, 0.9)


# ---- refer band by coverage ----


@pytest.mark.parametrize("percent", [1, 50, 55, 90, 99])
def test_band_answers_the_share_and_no_image_more(percent):
    probabilities, _ = case(n=200)
    tops = probabilities.max(axis=1)
    band = metrics.refer_band_for_coverage(probabilities, percent / 100)
    assert (tops >= band.refer_below).sum() == percent * 2
    assert band.coverage.value == percent / 100
    assert band.reason is None


def test_ties_are_answered():
    band = metrics.refer_band_for_coverage([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6], [0.5, 0.5]], 0.5)
    assert (band.refer_below, band.coverage.value) == (0.6, 0.75)


def test_coverage_of_all_needs_no_band():
    band = metrics.refer_band_for_coverage(case()[0], 1.0)
    assert (band.refer_below, band.coverage.value, band.reason) == (None, 1.0, None)


def test_no_images_are_a_reason():
    nothing = np.empty((0, 3))
    assert metrics.refer_band_for_coverage(nothing, 0.9).reason == "there are no images"
    band = metrics.refer_band_for_sensitivity(nothing, np.empty(0, int), {"mel": 1}, 0.9)
    assert (band.refer_below, band.coverage.value) == (None, None)
    assert band.reason == "0 images of mel are fewer than 20"


# ---- refer band by sensitivity ----


def brute_force(probabilities, targets, classes, percent, least):
    """Every observed top probability, smallest first, by its definition."""
    tops, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    for threshold in (0.0, *np.unique(tops)):
        answered = [(tops >= threshold) & (targets == index) for index in classes.values()]
        if all(own.sum() >= least for own in answered) and all(
            (own & right).sum() * 100 >= percent * own.sum() for own in answered
        ):
            return threshold or None
    return "none"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("percent", [60, 80, 90, 97])
def test_band_is_the_smallest_that_reaches_it(seed, percent):
    probabilities, targets = case(n=150, seed=seed)
    probabilities = probabilities.round(1)  # with ties
    classes = {"mel": 1, "nv": 2}
    band = metrics.refer_band_for_sensitivity(
        probabilities, targets, classes, percent / 100, min_images=8
    )
    expected = brute_force(probabilities, targets, classes, percent, 8)
    assert (band.refer_below if band.reason is None else "none") == expected


def test_brute_force_meets_every_outcome():
    outcomes = [
        brute_force(case(n=150, seed=seed)[0].round(1), case(n=150, seed=seed)[1],
                    {"mel": 1, "nv": 2}, percent, 8)
        for seed in range(8) for percent in (60, 80, 90, 97)
    ]  # fmt: skip
    assert None in outcomes
    assert "none" in outcomes
    assert sum(isinstance(outcome, float) for outcome in outcomes) > 10


def test_band_says_what_it_reaches():
    # Class 0: 30 right at 0.9, 10 wrong at 0.6; class 1: 20 right at 0.7.
    probabilities, targets = two([0.9] * 30 + [0.4] * 10, [0.3] * 20)
    band = metrics.refer_band_for_sensitivity(probabilities, targets, {"mel": 0}, 0.9)
    assert band.refer_below == 0.7
    assert band.coverage.value == 50 / 60
    assert band.sensitivity["mel"].value == 1.0
    assert band.sensitivity["mel"].low == metrics.wilson(30, 30).low


def test_band_that_is_not_needed():
    probabilities, targets = two([0.9] * 30, [0.3] * 20)
    band = metrics.refer_band_for_sensitivity(probabilities, targets, {"mel": 0, "nv": 1}, 0.99)
    assert (band.refer_below, band.reason, band.coverage.value) == (None, None, 1.0)
    assert list(band.sensitivity) == ["mel", "nv"]


def test_confident_mistakes_are_out_of_reach():
    probabilities, targets = two([0.9] * 30 + [0.01] * 5, [0.3] * 20)
    band = metrics.refer_band_for_sensitivity(probabilities, targets, {"mel": 0}, 0.95)
    assert band.refer_below is None
    assert band.reason == "no threshold that keeps 20 images brings mel to 0.95"
    assert band.sensitivity["mel"].value == 30 / 35
    assert band.coverage.value == 1.0


def test_too_few_images_stay():
    probabilities, targets = two([0.9] * 19 + [0.4] * 10, [0.3] * 20)
    found = metrics.refer_band_for_sensitivity(probabilities, targets, {"mel": 0}, 0.9)
    assert "keeps 20 images" in str(found.reason)
    enough = metrics.refer_band_for_sensitivity(
        probabilities, targets, {"mel": 0}, 0.9, min_images=19
    )
    assert enough.refer_below == 0.7
    band = metrics.refer_band_for_sensitivity(
        probabilities, targets, {"mel": 0, "nv": 1}, 0.9, min_images=25
    )
    assert band.reason == "20 images of nv are fewer than 25"


@pytest.mark.parametrize("classes", [{}, {"mel": 4}, {"mel": -1}])
def test_classes_that_are_none_are_refused(classes):
    with pytest.raises(InputError):
        metrics.refer_band_for_sensitivity(*case(), classes, 0.9)
