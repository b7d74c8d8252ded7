"""The logistic head on normalised features, and episodes, against scikit-learn and by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from edgekd.errors import InputError
from edgekd.metrics import wilson
from edgekd.metrics.few_shot import (
    EpisodeProtocol,
    episodes,
    fit_head,
    leave_one_group_out,
    mean_of_shares,
    unit_length,
)
from edgekd.metrics.intervals import Interval, share_interval


def clusters(
    images: int, classes: int, size: int = 24, spread: float = 0.6, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, size))
    labels = np.arange(images) % classes
    return centres[labels] + spread * rng.normal(size=(images, size)), labels


def test_features_have_unit_length_and_zeros_stay() -> None:
    features = np.array([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]])
    np.testing.assert_allclose(unit_length(features), [[0.6, 0.8], [0, 0], [-1, 0]])


@pytest.mark.parametrize(("images", "classes", "size"), [(15, 3, 40), (25, 5, 8), (60, 2, 12)])
@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
def test_the_head_is_that_of_scikit_learn(
    images: int, classes: int, size: int, strength: float
) -> None:
    features, labels = clusters(images, classes, size)
    head = fit_head(features, labels, classes, inverse_strength=strength)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = LogisticRegression(C=strength, tol=1e-12, max_iter=20_000)
        theirs.fit(unit_length(features), labels)
    new, _ = clusters(50, classes, size, seed=1)
    logits = head.logits(new)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    if classes == 2:
        # Of two classes scikit-learn penalises one row of weights, ours two that are opposite.
        agreed = logits.argmax(axis=1) == theirs.predict(unit_length(new))
        assert agreed.mean() > 0.95
    else:
        np.testing.assert_allclose(shares, theirs.predict_proba(unit_length(new)), atol=1e-5)
    np.testing.assert_allclose(head.weights.sum(axis=0), 0, atol=1e-7)


def test_the_fit_is_where_no_weight_lowers_the_objective() -> None:
    features, labels = clusters(12, 3, 6)
    head = fit_head(features, labels, 3, inverse_strength=2.0)
    inputs = unit_length(features)

    def objective(weights: np.ndarray, bias: np.ndarray) -> float:
        logits = inputs @ weights.T + bias
        log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return float(-2.0 * log_shares[np.arange(12), labels].sum() + 0.5 * (weights**2).sum())

    least = objective(head.weights, head.bias)
    rng = np.random.default_rng(0)
    for _ in range(50):
        moved = head.weights + 1e-3 * rng.normal(size=head.weights.shape)
        assert objective(moved, head.bias + 1e-3 * rng.normal(size=3)) > least


def test_length_does_not_matter_and_new_classes_may_be_few() -> None:
    features, labels = clusters(6, 3)
    head = fit_head(features, labels, 3)
    scaled = fit_head(features * 7.0, labels, 3)
    np.testing.assert_allclose(head.logits(features), scaled.logits(5 * features), atol=1e-8)


def test_a_class_without_an_image_cannot_be_learnt() -> None:
    features, labels = clusters(9, 3)
    shown = labels != 2
    with pytest.raises(InputError, match="1 of 3 classes have no image"):
        fit_head(features[shown], labels[shown], 3)


def test_a_feature_that_is_not_finite_is_refused() -> None:
    features, labels = clusters(9, 3)
    features[4, 2] = np.nan
    with pytest.raises(InputError, match="not finite"):
        fit_head(features, labels, 3)


def test_episodes_of_what_is_plain_and_of_what_is_not() -> None:
    groups = np.arange(300)
    plain, labels = clusters(300, 5, spread=0.05)
    protocol = EpisodeProtocol(ways=3, shots=1, queries=5, count=20)
    assert episodes(plain, labels, groups, protocol).value == 1.0
    noise = np.random.default_rng(0).normal(size=plain.shape)
    protocol = EpisodeProtocol(ways=3, shots=2, queries=5, count=120)
    mean, low, high = episodes(noise, labels, groups, protocol)
    assert mean is not None
    assert low is not None
    assert high is not None
    assert low < 1 / 3 < high
    assert mean == pytest.approx((low + high) / 2)
    assert episodes(noise, labels, groups, protocol) == (mean, low, high)


def test_no_query_shows_a_lesion_that_the_head_was_fitted_to() -> None:
    """Of pairs of equal images, a head that has seen one would be right of the other."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(60, 200)), 2, axis=0)
    labels, groups = np.repeat(np.arange(60) % 2, 2), np.repeat(np.arange(60), 2)
    protocol = EpisodeProtocol(ways=2, shots=10, queries=15, count=60)
    by_lesion = episodes(features, labels, groups, protocol)
    leaking = episodes(features, labels, np.arange(120), protocol)
    assert by_lesion.high is not None
    assert leaking.low is not None
    assert by_lesion.high < leaking.low


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ways": 6}, "5 classes have the 20 lesions"),
        ({"shots": 60}, "0 classes have the 75"),
        ({"ways": 1}, "two ways"),
        ({"count": 1}, "two are drawn"),
    ],
)
def test_episodes_that_cannot_be_drawn(change: dict[str, int], message: str) -> None:
    features, labels = clusters(150, 5)
    with pytest.raises(InputError, match=message):
        episodes(features, labels, np.arange(150), EpisodeProtocol(**change))


# ---- leaving out ----


def test_each_answer_is_that_of_a_head_that_never_saw_the_lesion() -> None:
    """Against scikit-learn, fitted again without each group."""
    features, labels = clusters(24, 3, 10, spread=1.6)
    groups = np.arange(24) // 2 * 3  # pairs of images, of several classes
    left = leave_one_group_out(features, labels, groups, 3, inverse_strength=2.0)
    expected = np.empty(24, int)
    for group in np.unique(groups):
        asked = groups == group
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = LogisticRegression(C=2.0, tol=1e-12, max_iter=20_000)
            theirs.fit(unit_length(features[~asked]), labels[~asked])
        expected[asked] = theirs.predict(unit_length(features[asked]))
    np.testing.assert_array_equal(left.answers, expected)
    assert 0 < (expected == labels).mean() < 1
    for k in range(3):
        own = labels == k
        assert left.sensitivity[k] == share_interval(expected[own] == k, groups[own])
    assert left.balanced_accuracy == mean_of_shares(left.sensitivity)
    whole = fit_head(features, labels, 3, inverse_strength=2.0).logits(features).argmax(axis=1)
    assert (whole == labels).mean() > (expected == labels).mean()


def test_images_of_one_lesion_do_not_vouch_for_each_other() -> None:
    """Copies of an image under another label of chance: right only where a copy is seen."""
    rng = np.random.default_rng(5)
    lesions = rng.normal(size=(12, 30))
    features, labels = np.repeat(lesions, 3, axis=0), np.repeat(rng.permutation(12) % 2, 3)
    apart = leave_one_group_out(features, labels, np.arange(36), 2, inverse_strength=100.0)
    together = leave_one_group_out(
        features, labels, np.repeat(np.arange(12), 3), 2, inverse_strength=100.0
    )
    assert (apart.answers == labels).all()
    assert (together.answers == labels).mean() < 0.8


def test_a_class_of_one_lesion_is_not_asked_and_the_others_are() -> None:
    features, labels = clusters(12, 3)
    groups = np.where(labels == 2, 100, np.arange(12))
    ticks: list[tuple[int, int]] = []
    left = leave_one_group_out(
        features, labels, groups, 3, tick=lambda done, total: ticks.append((done, total))
    )
    assert (left.answers[labels == 2] == -1).all()
    assert (left.answers[labels != 2] >= 0).all()
    assert left.sensitivity[2] == Interval(None)
    assert left.sensitivity[0].value is not None
    assert left.balanced_accuracy == Interval(None)
    assert ticks == [(n, 9) for n in range(10)]


def test_a_class_without_images_is_refused_where_it_is_left_out() -> None:
    features, labels = clusters(6, 2)
    with pytest.raises(InputError, match="1 of 3 classes have no image"):
        leave_one_group_out(features, labels, np.arange(6), 3)


def test_the_mean_of_shares_has_the_interval_of_mover() -> None:
    """By hand: 5 of 5 and 3 of 6 by Wilson, whose distances are added as squares."""
    first, second = wilson(5, 5), wilson(3, 6)
    found = mean_of_shares([first, second])
    below = np.hypot(1.0 - (first.low or 0), 0.5 - (second.low or 0)) / 2
    above = np.hypot((first.high or 0) - 1.0, (second.high or 0) - 0.5) / 2
    assert found == pytest.approx((0.75, 0.75 - below, 0.75 + above))
    assert found.low == pytest.approx(0.482, abs=1e-3)


def test_the_mean_of_shares_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth, sizes = (0.9, 0.6, 0.75), (8, 12, 6)
    covered = 0
    for _ in range(400):
        shares = [wilson(int(rng.binomial(n, p)), n) for n, p in zip(sizes, truth, strict=True)]
        found = mean_of_shares(shares)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= np.mean(truth) <= found.high
    assert covered / 400 >= 0.92


def test_a_share_without_value_or_interval_leaves_none() -> None:
    assert mean_of_shares([wilson(5, 5), Interval(None)]) == Interval(None)
    assert mean_of_shares([wilson(1, 1), wilson(2, 4)]) == Interval(0.75)
    assert mean_of_shares([]) == Interval(None)
