"""The metrics against scikit-learn on random data, and against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax as scipy_softmax
from sklearn import metrics as sk

from edgekd import metrics
from edgekd.errors import InputError

# Two classes, five images. True: 0 0 0 1 1; decided: 0 0 1 1 0.
LOGITS = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 3.0], [0.5, 0.0]])
TARGETS = np.array([0, 0, 0, 1, 1])


def random_case(seed: int, n: int, k: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    """Logits that know something, each class at least twice; rounded ones have many ties."""
    generator = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(k), np.arange(k), generator.integers(0, k, n)])
    logits = generator.normal(size=(targets.size, k))
    logits[np.arange(targets.size), targets] += 1.0
    return (np.round(logits) if ties else logits), targets


cases = st.builds(
    random_case,
    seed=st.integers(0, 10_000),
    n=st.integers(0, 60),
    k=st.integers(2, 6),
    ties=st.booleans(),
)


@given(cases)
@settings(max_examples=40, deadline=None)
def test_agrees_with_scikit_learn(case):
    logits, targets = case
    decided = logits.argmax(axis=1)
    assert metrics.accuracy(logits, targets) == pytest.approx(sk.accuracy_score(targets, decided))
    assert metrics.balanced_accuracy(logits, targets) == pytest.approx(
        sk.balanced_accuracy_score(targets, decided)
    )
    assert metrics.macro_f1(logits, targets) == pytest.approx(
        sk.f1_score(targets, decided, average="macro")
    )
    np.testing.assert_array_equal(
        metrics.confusion_matrix(logits, targets), sk.confusion_matrix(targets, decided)
    )
    assert metrics.quadratic_kappa(logits, targets) == pytest.approx(
        sk.cohen_kappa_score(targets, decided, weights="quadratic")
    )


def test_quadratic_kappa_by_hand():
    # True 0 1 2, decided 0 2 2: Σ d² = 1; by chance Σ rᵢ cⱼ d²/3 with r = 1 1 1 and c = 1 0 2.
    logits = np.eye(3)[[0, 2, 2]]
    assert metrics.quadratic_kappa(logits, np.arange(3)) == pytest.approx(1 - 1 / (15 / 3))
    assert metrics.quadratic_kappa(np.eye(3), np.arange(3)) == 1.0
    assert metrics.quadratic_kappa(np.eye(3)[::-1], np.arange(3)) == pytest.approx(-1.0)
    further = metrics.quadratic_kappa(np.eye(3)[[2, 1, 2]], np.arange(3))
    assert further < metrics.quadratic_kappa(np.eye(3)[[1, 1, 2]], np.arange(3))


def test_quadratic_kappa_where_chance_cannot_disagree():
    assert metrics.quadratic_kappa(np.eye(2)[[0, 0]], np.array([0, 0])) is None
    assert metrics.quadratic_kappa(np.empty((0, 2)), np.empty(0, dtype=int)) is None


@given(cases)
@settings(max_examples=40, deadline=None)
def test_auroc_agrees_with_scikit_learn(case):
    logits, targets = case
    probabilities = metrics.softmax(logits)
    each = [
        sk.roc_auc_score(targets == index, probabilities[:, index])
        for index in range(logits.shape[1])
    ]
    assert metrics.macro_auroc(logits, targets) == pytest.approx(np.mean(each))
    if logits.shape[1] > 2:
        assert metrics.macro_auroc(logits, targets) == pytest.approx(
            sk.roc_auc_score(targets, probabilities, multi_class="ovr", average="macro")
        )


@given(st.lists(st.floats(-700, 700), min_size=2, max_size=8))
def test_softmax_agrees_with_scipy(row):
    np.testing.assert_allclose(metrics.softmax([row]), scipy_softmax([row], axis=1), rtol=1e-12)


def test_by_hand():
    confusion = metrics.confusion_matrix(LOGITS, TARGETS)
    assert confusion.tolist() == [[2, 1], [1, 1]]
    assert metrics.accuracy(LOGITS, TARGETS) == pytest.approx(3 / 5)
    assert metrics.balanced_accuracy(LOGITS, TARGETS) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert metrics.macro_f1(LOGITS, TARGETS) == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert metrics.sensitivity(confusion) == pytest.approx([2 / 3, 1 / 2])
    assert metrics.specificity(confusion) == pytest.approx([1 / 2, 2 / 3])


def test_ece_by_hand():
    # Confidences 0.95 (right), 0.95 (wrong), 0.55 (right): two bins.
    tops = np.array([0.95, 0.95, 0.55])
    logits = np.log(np.stack([tops, 1 - tops], axis=1))
    expected = (abs(1 + 0 - 2 * 0.95) + abs(1 - 0.55)) / 3
    assert metrics.expected_calibration_error(logits, [0, 1, 0]) == pytest.approx(expected)


def test_ece_takes_a_confidence_of_one():
    assert metrics.expected_calibration_error([[1000.0, 0.0]], [0]) == pytest.approx(0.0)


def test_auroc_counts_a_tie_as_one_half():
    logits = [[0.0, 1.0], [0.0, 1.0], [0.0, 2.0]]
    assert metrics.macro_auroc(logits, [0, 1, 1]) == pytest.approx(0.75)


def test_classes_that_do_not_occur_are_left_out():
    logits = np.column_stack([LOGITS, np.full(5, -9.0)])
    confusion = metrics.confusion_matrix(logits, TARGETS)
    assert metrics.balanced_accuracy(logits, TARGETS) == pytest.approx(7 / 12)
    assert metrics.macro_f1(logits, TARGETS) == pytest.approx(7 / 12)
    assert metrics.macro_auroc(logits, TARGETS) is not None
    assert metrics.sensitivity(confusion)[2] is None
    assert metrics.specificity(confusion)[2] == 1.0


def test_no_images_give_no_numbers():
    logits, targets = np.empty((0, 3)), np.empty(0, dtype=int)
    functions = (
        metrics.accuracy,
        metrics.balanced_accuracy,
        metrics.macro_f1,
        metrics.macro_auroc,
        metrics.expected_calibration_error,
    )
    assert [function(logits, targets) for function in functions] == [None] * 5


def test_one_class_alone_has_no_auroc():
    assert metrics.macro_auroc(LOGITS, np.zeros(5, dtype=int)) is None


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ([1.0, 2.0], [0, 1]),
        ([[1.0], [2.0]], [0, 0]),
        ([[1.0, 2.0]], [0, 1]),
        ([[1.0, 2.0]], [2]),
        ([[1.0, 2.0]], [-1]),
        ([[1.0, 2.0]], [0.5]),
        ([[1.0, np.nan]], [0]),
        ([[np.inf, 0.0]], [0]),
    ],
)
def test_refuses_what_does_not_fit(logits, targets):
    with pytest.raises(InputError) as caught:
        metrics.accuracy(logits, targets)
    assert caught.value.hint
