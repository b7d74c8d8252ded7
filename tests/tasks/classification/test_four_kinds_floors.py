"""What a classifier reaches by itself, of four kinds of students."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.floors import FloorMeasures, check_floors
from edgekd.policy import DecisionRule, load_policy
from edgekd.tasks.classification.evidence import Evidence
from edgekd.tasks.classification.manifest import Decision

CLASSES = ("bkl", "mel", "nv")
MEL, NV = 1, 2
TARGETS = np.repeat([0, MEL, NV], (100, 100, 200))
N = len(TARGETS)
NONE = np.zeros(N, np.bool_)
POLICY = load_policy("dermoscopy")

Logits = NDArray[np.float32]


def good(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    return 6 * np.eye(3)[TARGETS] + noise


def constant(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.tile([0.0, 0.0, 5.0], (N, 1))


def lost(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Melanoma passes for a naevus."""
    shown = np.where(TARGETS == MEL, NV, TARGETS)
    return 6 * np.eye(3)[shown] + noise


def referring(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Melanoma is nearly as probable as the best other answer, whatever is shown."""
    logits = 2 * np.eye(3)[TARGETS] + noise
    logits[:, MEL] = logits[:, [0, NV]].max(axis=1) - 0.1 * np.abs(noise[:, MEL])
    return logits


def requirements(groups: NDArray[np.int64] | None = None) -> DecisionRequirements:
    return DecisionRequirements(POLICY.decision, CLASSES, ("mel",), TARGETS, {}, groups=groups)


def measured(logits: Logits, retaken: NDArray[np.bool_] = NONE) -> FloorMeasures:
    fit = Evidence().fit_decision(requirements(), logits)
    return Evidence().floors(requirements(), fit.decision, logits, retaken)


@pytest.mark.parametrize(
    ("student", "unmet"),
    [
        (good, set()),
        (constant, {"beyond-chance", "answered"}),
        (lost, {"answered"}),  # noticed, by referring every naevus too
        (referring, {"answered"}),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
@pytest.mark.parametrize("seed", range(3))
def test_four_students(student: object, unmet: set[str], seed: int) -> None:
    assert callable(student)
    noise = np.random.default_rng(seed).normal(size=(N, 3))
    records = check_floors(POLICY.floors, measured(student(noise).astype(np.float32)))
    assert {record.code for record in records if not record.met} == unmet


def plain(answers: Sequence[int]) -> Logits:
    return (8 * np.eye(3)[np.array(answers)]).astype(np.float32)


def test_shares_are_counted_by_hand() -> None:
    answers = TARGETS.copy()
    answers[100:130] = NV  # 30 of 100 melanomas are answered as naevi
    answers[200:220] = MEL  # 20 of 200 naevi as melanomas
    retaken = np.arange(N) % 10 == 0
    decision = Decision()
    found = Evidence().floors(requirements(), decision, plain(answers), retaken)
    assert found.noticed["mel"].value == pytest.approx(0.7)
    assert found.answered.value == pytest.approx(0.9)
    assert found.specificity.value == pytest.approx((280 - 28) / 300)
    assert found.balanced_accuracy.value == pytest.approx((1 + 0.7 + 0.9) / 3)
    assert found.chance == pytest.approx(1 / 3)


def test_a_referred_melanoma_is_noticed_and_not_answered() -> None:
    decision = Decision(refer_below=1.0)  # everything is referred
    found = Evidence().floors(requirements(), decision, plain(TARGETS.tolist()), NONE)
    assert (found.noticed["mel"].value, found.answered.value) == (1.0, 0.0)
    assert found.specificity.value == 0.0


def test_photos_of_one_lesion_widen_the_intervals() -> None:
    decision, logits = Decision(), plain(TARGETS.tolist())
    alone = Evidence().floors(requirements(), decision, logits, NONE).answered
    groups = np.arange(N) // 4
    grouped = Evidence().floors(requirements(groups), decision, logits, NONE).answered
    assert alone.low is not None
    assert grouped.low is not None
    assert grouped.low < alone.low


def test_without_a_critical_class_nothing_has_to_be_noticed() -> None:
    bare = DecisionRequirements(DecisionRule(), CLASSES, (), TARGETS, {})
    found = Evidence().floors(bare, Decision(), plain(TARGETS.tolist()), NONE)
    assert found.noticed == {}
    assert [one.code for one in check_floors(POLICY.floors, found)] == ["beyond-chance", "answered"]
