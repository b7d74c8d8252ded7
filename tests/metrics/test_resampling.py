"""The bootstrap over lesions: what is drawn together, and what it does to intervals."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd import metrics
from edgekd.errors import InputError
from edgekd.metrics.resampling import counts, enough, group_codes

LABELS = np.repeat([0, 1, 2], [40, 20, 10])


def drawn(labels, groups, resamples=200, seed=0):
    return np.concatenate([*counts(labels, resamples, seed, groups)])


def test_images_of_a_group_are_drawn_together():
    groups = np.arange(LABELS.size) // 2
    block = drawn(LABELS, groups)
    assert (block[:, ::2] == block[:, 1::2]).all()
    for label in range(3):
        assert (block[:, label == LABELS].sum(axis=1) == (label == LABELS).sum()).all()


def test_without_groups_each_image_is_its_own():
    alone = drawn(LABELS, None)
    assert (alone == drawn(LABELS, [f"image {index}" for index in range(LABELS.size)])).all()


def test_a_class_of_patients_with_several_classes_does_not_vanish():
    """Ten patients, each with nevi, some with a melanoma or a rare class as well."""
    labels = np.array([0] * 20 + [1, 1, 1, 2, 2])
    groups = np.array([*range(10), *range(10), 0, 1, 2, 2, 3])
    block = drawn(labels, groups, 2000)
    for label in range(3):
        assert block[:, labels == label].any(axis=1).all()
    assert len(np.unique(block.sum(axis=1))) > 1  # patients have not all as many images


def test_two_groups_of_each_class_are_needed():
    assert enough(np.array([0, 0, 1, 1]))
    assert enough(np.array([0, 0, 1, 1]), ["a", "b", "c", "d"])
    assert not enough(np.array([0, 0, 1, 1]), ["a", "a", "c", "d"])
    assert not enough(np.array([0, 0, 1]))
    assert not enough(np.empty(0, int))


def test_codes_are_in_order_of_occurrence():
    assert group_codes(["b", "a", "b", "c"], 4).tolist() == [0, 1, 0, 2]
    assert group_codes(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="not of 3 images"):
        group_codes(["a"], 3)


def clustered(seed=0, lesions=200, views=3, k=3):
    """Logits of lesions with several photos that the classifier takes alike."""
    generator = np.random.default_rng(seed)
    labels = np.arange(lesions) % k
    logits = generator.normal(size=(lesions, k))
    logits[np.arange(lesions), labels] += 1.0
    return np.repeat(logits, views, axis=0), np.repeat(labels, views), np.arange(lesions)


def test_intervals_are_those_of_the_lesions():
    """Three photos of a lesion that say the same are no three lesions."""
    logits, labels, lesions = clustered()
    groups = np.repeat(lesions, 3)
    single = metrics.metrics_of(logits[::3], labels[::3], ("a", "b", "c"))
    found = metrics.metrics_of(logits, labels, ("a", "b", "c"), groups=groups)
    blind = metrics.metrics_of(logits, labels, ("a", "b", "c"))

    def width(estimate):
        return estimate.high - estimate.low

    pairs = [
        (found.accuracy, single.accuracy, blind.accuracy),
        (found.balanced_accuracy, single.balanced_accuracy, blind.balanced_accuracy),
        (found.macro_f1, single.macro_f1, blind.macro_f1),
        (found.macro_auroc, single.macro_auroc, blind.macro_auroc),
        *(
            (getattr(found.per_class[c], m), getattr(single.per_class[c], m),
             getattr(blind.per_class[c], m))
            for c in ("a", "b", "c") for m in ("sensitivity", "specificity")
        ),
    ]  # fmt: skip
    for own, expected, narrow in pairs:
        assert own.value == pytest.approx(expected.value)
        assert width(own) == pytest.approx(width(expected), rel=0.03)
        assert width(narrow) < 0.75 * width(own)


def test_independent_images_of_a_group_cost_little():
    generator = np.random.default_rng(1)
    flags = generator.random(600) < 0.8
    alone, grouped = (
        metrics.share_interval(flags),
        metrics.share_interval(flags, np.arange(600) // 2),
    )
    assert 0.9 < (grouped.high - grouped.low) / (alone.high - alone.low) < 1.3


def test_a_share_of_all_or_none_takes_groups_as_one_image():
    found = metrics.share_interval(np.ones(60, bool), np.arange(60) // 3)
    assert found == pytest.approx(metrics.wilson(20, 20))
    assert metrics.share_interval(np.ones(3, bool), [1, 1, 1]) == (1.0, None, None)
    assert metrics.share_interval(np.empty(0, bool), np.empty(0, int)) == (None, None, None)


def test_differences_know_groups_too():
    logits, labels, lesions = clustered()
    groups = np.repeat(lesions, 3)
    other = logits.copy()
    other[:60] = np.roll(other[:60], 1, axis=1)
    blind = metrics.recall_difference(other[:, 0] > logits[:, 0], labels)
    known = metrics.recall_difference(other[:, 0] > logits[:, 0], labels, groups=groups)
    assert known.high - known.low > 1.3 * (blind.high - blind.low)
    blind = metrics.balanced_accuracy_difference(logits, other, labels)
    known = metrics.balanced_accuracy_difference(logits, other, labels, groups=groups)
    assert known.value == blind.value
    assert known.high - known.low > 1.3 * (blind.high - blind.low)
