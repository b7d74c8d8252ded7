"""What a head is taught, what it answers on what it was not taught, and what that shows."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bundle import HeadRecord
from edgekd.errors import InputError
from edgekd.lower.enrol.taught import MOST_IMAGES, Lessons, shortfall, taught_head
from edgekd.metrics import wilson
from edgekd.metrics.few_shot import fit_head


def lessons(each: int = 6, classes: int = 3, spread: float = 0.1) -> Lessons:
    rng = np.random.default_rng(0)
    labels = np.arange(each * classes) % classes
    features = rng.normal(size=(classes, 20))[labels] + spread * rng.normal(size=(len(labels), 20))
    names = tuple("abcdef"[:classes])
    return Lessons(features, labels, np.arange(len(labels)), names)


def test_weights_are_those_of_the_fit_to_nine_digits() -> None:
    given = lessons()
    head = taught_head(given, 2.0, "0" * 64)
    expected = fit_head(given.features, given.labels, 3, inverse_strength=2.0)
    np.testing.assert_allclose(head.weights, expected.weights, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(head.bias, expected.bias, rtol=1e-8, atol=1e-12)
    assert all(value == float(f"{value:.9g}") for row in head.weights for value in row)
    assert (head.images, head.groups, head.inverse_strength) == (18, 18, 2.0)
    assert head.size == 20


def test_each_class_has_its_images_and_its_share_of_right_answers() -> None:
    head = taught_head(lessons(), 1.0, "")
    assert head.balanced_accuracy == 1.0
    for one in head.classes.values():
        share = wilson(6, 6)
        assert (one.images, one.groups, one.right) == (6, 6, 6)
        assert (one.sensitivity, one.low, one.high) == (share.value, share.low, share.high)


@pytest.mark.parametrize(
    ("value", "low", "words"),
    [(0.9, 0.6, None), (0.6, 0.5, "0.600 [0.500, 1.000], is not shown to exceed chance, 0.500"),
     (0.9, None, "0.900, is not shown")],
)  # fmt: skip
def test_a_head_is_shown_to_beat_chance_by_the_lower_end(
    value: float, low: float | None, words: str | None
) -> None:
    high = None if low is None else 1.0
    head = HeadRecord(
        weights=((1.0,), (2.0,)), bias=(0.0, 0.0), balanced_accuracy=value,
        balanced_accuracy_low=low, balanced_accuracy_high=high,
    )  # fmt: skip
    found = shortfall(head)
    assert (found is None) if words is None else (found is not None and words in found)


def test_what_was_not_measured_is_a_shortfall() -> None:
    given = lessons()
    groups = np.where(given.labels == 1, 0, given.groups + 1)
    head = taught_head(Lessons(given.features, given.labels, groups, given.classes), 1.0, "")
    assert head.not_measured is not None
    assert "the images of b are of one lesion or patient" in head.not_measured
    assert shortfall(head) == head.not_measured
    assert head.classes["b"].right is None
    assert head.classes["a"].right == 6


def test_one_class_and_too_many_images_are_refused() -> None:
    blank = np.zeros((2, 3))
    with pytest.raises(InputError, match="there is one: a"):
        Lessons(blank, np.zeros(2, np.int64), np.arange(2), ("a",))
    many = MOST_IMAGES + 1
    with pytest.raises(InputError, match=f"{many} images are more than"):
        Lessons(np.zeros((many, 3)), np.arange(many) % 2, np.arange(many), ("a", "b"))


def test_progress_counts_every_lesion() -> None:
    ticks: list[tuple[int, int]] = []
    taught_head(lessons(2, 2), 1.0, "", lambda done, total: ticks.append((done, total)))
    assert ticks == [(n, 4) for n in range(5)]
