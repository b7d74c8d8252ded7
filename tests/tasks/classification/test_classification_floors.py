"""What classifiers reach by themselves: constant, referring everything, and good."""

from __future__ import annotations

import numpy as np

from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.floors import check_floors
from edgekd.policy import DecisionRule, Floors
from edgekd.tasks.classification.evidence import Evidence
from edgekd.tasks.classification.fit import fit_decision
from edgekd.tasks.classification.manifest import Decision

CLASSES = ("bkl", "mel", "nv")
TARGETS = np.repeat([0, 1, 2], [80, 60, 160])
N = TARGETS.size
NOISE = np.random.default_rng(0).normal(0, 1.5, (N, 3))
LOGITS = (5 * np.eye(3)[TARGETS] + NOISE).astype(np.float32)
NOBODY = np.zeros(N, np.bool_)
FLOORS = Floors(noticed=0.9, answered=0.5, specificity=0.5)
REQUIREMENTS = DecisionRequirements(
    DecisionRule(critical_sensitivity=0.9), CLASSES, ("mel",), TARGETS, {}
)


def met(decision: Decision, logits: np.ndarray) -> dict[str, bool]:
    measures = Evidence().floors(REQUIREMENTS, decision, logits, NOBODY)
    assert measures.chance == 1 / 3
    return {floor.code: floor.met for floor in check_floors(FLOORS, measures)}


def test_a_good_network_reaches_every_floor() -> None:
    decision = fit_decision(REQUIREMENTS, LOGITS).decision
    assert set(met(decision, LOGITS).values()) == {True}


def test_one_class_for_every_image_is_not_beyond_chance() -> None:
    constant = np.tile(np.array([[0.0, 0.0, 4.0]], np.float32), (N, 1))
    assert met(Decision(), constant) == {
        "beyond-chance": False, "noticed": False, "answered": True, "specificity": True,
    }  # fmt: skip


def test_referring_everything_answers_too_little() -> None:
    assert met(Decision(refer_below=1.0), LOGITS) == {
        "beyond-chance": True, "noticed": True, "answered": False, "specificity": False,
    }  # fmt: skip


def test_photos_that_have_to_be_taken_again_are_not_answered() -> None:
    half = np.arange(N) % 2 == 0
    measures = Evidence().floors(REQUIREMENTS, Decision(), LOGITS, half)
    assert measures.answered.value == 0.5
