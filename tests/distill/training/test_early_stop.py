"""The best epoch, and when a training ends early."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest

from edgekd.distill.training.early_stop import Better, best_epoch, kept_epoch, stop_reason
from edgekd.errors import InputError
from edgekd.recipe import FitSection, convert


def should_stop(fit: FitSection, scores: Sequence[float], better: Better) -> bool:
    return stop_reason(fit, scores, better) is not None


def test_early_stop():
    fit = FitSection(stop_after=2)
    assert not should_stop(fit, [], "min")
    assert not should_stop(fit, [1.0, 0.5, 0.6], "min")
    assert should_stop(fit, [1.0, 0.5, 0.6, 0.7], "min")
    assert not should_stop(fit, [1.0, 0.5, 0.6, 0.7, 1.1], "max")


def test_the_earliest_of_equals_is_best_and_not_a_number_is_worst():
    assert best_epoch([0.1, 0.3, 0.3], "max") == 1
    assert best_epoch([math.nan, 0.3, 0.2], "min") == 2
    assert best_epoch([math.nan, 0.3, 0.2], "max") == 1


GAINS = FitSection(epochs=20, stop_after=2, stop_gain=0.01)


@pytest.mark.parametrize(
    ("scores", "better", "stops"),
    [
        ([0.5], "max", False),
        ([0.5, 0.51], "max", False),  # no epoch before the last two
        ([0.5, 0.51, 0.53], "max", False),  # 0.03 in two epochs: 0.015 each
        ([0.5, 0.51, 0.515], "max", True),  # 0.0075 each
        ([0.5, 0.49, 0.48], "max", True),
        ([0.5, 0.49, 0.46], "min", False),
        ([0.5, 0.495, 0.49], "min", True),
        ([math.nan, 0.3, 0.3], "max", False),  # the first score at all
    ],
)
def test_epochs_must_gain_what_they_cost(scores, better, stops):
    assert should_stop(GAINS, scores, better) == stops


def test_any_gain_pays_for_an_epoch_by_default():
    fit = msgspec.structs.replace(GAINS, stop_gain=0.0)
    assert not should_stop(fit, [0.5, 0.5, 0.5001], "max")
    assert should_stop(fit, [0.5, 0.5, 0.5], "max")


def test_epochs_at_smaller_images_do_not_count():
    fit = msgspec.structs.replace(GAINS, epochs=10, image_sizes=(16, 32), stop_gain=0.0)
    flat = [0.5] * 10
    assert [should_stop(fit, flat[:done], "max") for done in range(1, 11)].index(True) == 7


def test_a_gain_without_its_epochs_is_refused():
    with pytest.raises(InputError, match="stop_gain needs stop_after"):
        convert({"stop_gain": 0.1}, FitSection, "here")


@pytest.mark.parametrize("better", ["max", "min"])
def test_the_last_epoch_is_kept_where_the_recipe_says_so(better):
    scores = [0.1, 0.3, 0.2, 0.2]
    assert kept_epoch(FitSection(keep="last"), scores, better) == 3
    assert kept_epoch(FitSection(), scores, better) == best_epoch(scores, better) < 3


def test_the_last_epoch_and_an_early_stop_contradict_each_other():
    with pytest.raises(InputError, match="keep: last would keep them"):
        convert({"keep": "last", "stop_after": 3}, FitSection, "here")


def test_the_reason_is_given_in_words():
    assert stop_reason(GAINS, [0.5, 0.51, 0.53], "max") is None
    assert stop_reason(GAINS, [0.5, 0.4, 0.4], "max") == "no better score in 2 epochs"
    reason = stop_reason(GAINS, [0.5, 0.51, 0.515], "max")
    assert reason == "a gain of 0.0150 in 2 epochs, less than 0.01 in each"
