"""Influences of images: derivatives of the statistic by how often each image occurs."""

from __future__ import annotations

import numpy as np
import pytest
from seeded import CLASSES, accuracy_of, gain_trials, ranked_trials

from edgekd.metrics.classification import area_under_roc, auroc_of, macro_f1_of
from edgekd.metrics.influences import influences_of_areas, influences_of_decisions

STEP = 1e-6


@pytest.mark.parametrize("statistic", [accuracy_of, macro_f1_of])
def test_of_decisions_as_by_occurring_more_often(statistic):
    decided, _, labels = next(gain_trials(1, 0.05, images=70))
    found = influences_of_decisions(statistic, decided, labels, CLASSES)
    for seed, each in enumerate(decided):
        confusion = np.zeros((CLASSES, CLASSES))
        np.add.at(confusion, (labels, each), 1)
        assert found.scores[seed] == pytest.approx(statistic(confusion))
        for image in range(0, 70, 9):
            more = confusion.copy()
            more[labels[image], each[image]] += STEP
            slope = (statistic(more) - statistic(confusion)) / STEP
            assert found.of_images[seed, image] == pytest.approx(slope, abs=1e-6)


def test_only_the_classes_that_the_statistic_depends_on_count():
    decided, _, labels = next(gain_trials(1, 0.05, images=70))
    found = influences_of_decisions(
        lambda confusions: confusions[..., 2, 2] / confusions[..., 2, :].sum(axis=-1),
        decided, labels, CLASSES,
    )  # fmt: skip
    assert found.counts.tolist() == [index == 2 for index in range(CLASSES)]


def by_occurring_more_often(area, images: int) -> np.ndarray:
    """Derivatives [N] of an area by the counts of each image."""
    counts = np.ones((images + 1, images))
    counts[np.arange(images), np.arange(images)] += STEP
    areas = area(counts)
    return (areas[:-1] - areas[-1]) / STEP


def test_of_one_class_as_by_occurring_more_often():
    scores, _, labels = next(ranked_trials(1, 0.2, images=60))
    scores = np.round(scores, 1)  # with ties
    found = influences_of_areas(scores, labels, (2,), np.zeros_like(labels))
    for seed, each in enumerate(scores):
        area = area_under_roc(each[:, 2], labels == 2, np.ones((1, 60)))
        assert found.scores[seed] == pytest.approx(float(area[0]))
        slopes = by_occurring_more_often(
            lambda counts, each=each: area_under_roc(each[:, 2], labels == 2, counts), 60
        )
        np.testing.assert_allclose(found.of_images[seed], slopes, atol=1e-7)


def test_of_the_mean_over_classes():
    scores, _, labels = next(ranked_trials(1, 0.2, images=60))
    found = influences_of_areas(scores, labels, tuple(range(CLASSES)), np.zeros_like(labels))
    for seed, each in enumerate(scores):
        assert found.scores[seed] == pytest.approx(
            float(auroc_of(each, labels, np.ones((1, 60)))[0])
        )
        slopes = by_occurring_more_often(
            lambda counts, each=each: auroc_of(each, labels, counts), 60
        )
        np.testing.assert_allclose(found.of_images[seed], slopes, atol=1e-7)


def test_images_are_ranked_within_their_fold():
    """The second fold's scores are on another scale: put together, they would rank wrongly."""
    scores, _, labels = next(ranked_trials(1, 0.2, images=140))
    folds = np.arange(140) % 2
    moved = scores + 100.0 * folds[:, None]
    classes = tuple(range(CLASSES))
    found = influences_of_areas(moved, labels, classes, folds)
    alone = [
        influences_of_areas(scores[:, own], labels[own], classes, np.zeros(70, np.int64))
        for own in (folds == 0, folds == 1)
    ]
    np.testing.assert_allclose(found.scores, (alone[0].scores + alone[1].scores) / 2)
    for fold in (0, 1):
        expected = alone[fold].of_images / 2
        np.testing.assert_allclose(found.of_images[:, folds == fold], expected)


def test_a_class_without_images_or_without_others_is_left_out():
    scores, _, labels = next(ranked_trials(1, 0.2, images=70))
    some = labels != 6
    found = influences_of_areas(
        scores[:, some], labels[some], tuple(range(CLASSES)), np.zeros(some.sum(), np.int64)
    )
    known = influences_of_areas(
        scores[:, some], labels[some], tuple(range(6)), np.zeros(some.sum(), np.int64)
    )
    np.testing.assert_allclose(found.scores, known.scores)
    nothing = influences_of_areas(scores[:, :5], np.zeros(5, np.int64), (0, 1), np.zeros(5))
    assert np.isnan(nothing.scores).all()
    assert not nothing.of_images.any()
