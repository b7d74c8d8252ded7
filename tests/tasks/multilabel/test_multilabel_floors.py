"""What networks of findings reach by themselves: constant, referring everything, and good."""

from __future__ import annotations

import numpy as np

from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.floors import check_floors
from edgekd.policy import DecisionRule, Floors
from edgekd.tasks.multilabel.evidence import Evidence
from edgekd.tasks.multilabel.fit import fit_decision
from edgekd.tasks.multilabel.manifest import Decision

FINDINGS = ("network", "streaks", "veil")
N = 300
RNG = np.random.default_rng(0)
TARGETS = (RNG.random((N, 3)) < (0.5, 0.3, 0.3)).astype(np.float32)
LOGITS = (RNG.normal(0, 1, (N, 3)) + 3 * (2 * TARGETS - 1)).astype(np.float32)
NOBODY = np.zeros(N, np.bool_)


def requirements(rule: DecisionRule | None = None) -> DecisionRequirements:
    rule = rule or DecisionRule(critical_sensitivity=0.9)
    return DecisionRequirements(rule, FINDINGS, ("veil",), TARGETS, {}, task="multilabel")


def test_floors_of_a_network_that_says_the_same_of_every_image() -> None:
    constant = np.tile(np.array([[3.0, -3.0, -3.0]], np.float32), (N, 1))
    decision = fit_decision(requirements(DecisionRule()), constant).decision
    measures = Evidence().floors(requirements(), decision, constant, NOBODY)
    floors = check_floors(Floors(noticed=0.9, answered=0.5), measures)
    met = {floor.code: floor.met for floor in floors}
    assert met == {"beyond-chance": False, "noticed": False, "answered": True}


def test_floors_of_a_network_that_refers_everything() -> None:
    decision = Decision(absent_below={"veil": 0.0}, present_from={"veil": 1.0})
    measures = Evidence().floors(requirements(), decision, LOGITS, NOBODY)
    met = {one.code: one.met for one in check_floors(Floors(noticed=0.9, answered=0.5), measures)}
    assert met == {"beyond-chance": True, "noticed": True, "answered": False}


def test_floors_of_a_good_network_by_counting() -> None:
    decision = fit_decision(requirements(), LOGITS).decision
    again = np.arange(N) < 30
    measures = Evidence().floors(requirements(), decision, LOGITS, again)
    met = {one.code: one.met for one in check_floors(Floors(noticed=0.9, answered=0.5), measures)}
    assert met == {"beyond-chance": True, "noticed": True, "answered": True}
    assert measures.answered.value is not None
    assert measures.answered.value <= 0.9
    without = TARGETS[:, 2] == 0
    assert measures.specificity.value is not None
    assert measures.specificity.value <= (without & ~again).sum() / without.sum()
