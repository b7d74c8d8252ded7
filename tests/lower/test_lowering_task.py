"""What the evidence layer of a task gets for nothing, and what it has to bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekd.bundle import GateRecord
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.lower.evidence.floors import FloorMeasures
from edgekd.lower.evidence.gate import Changes, GateReference
from edgekd.lower.task import EvidenceTask, evidence_task
from edgekd.metrics import Interval
from edgekd.policy import GateLimits

LIMITS = GateLimits(
    max_flips=0.1, max_balanced_accuracy_drop=0.1, max_sensitivity_drop=0.1, max_ece_increase=0.1
)


class Thickness(EvidenceTask):
    """A number for each image: no classes, no probabilities, and a limit of its own."""

    divergence_unit = "mm²"

    def changes(self, reference: GateReference, outputs: NDArray[np.float32]) -> Changes:
        return Changes()

    def measures(self, reference: GateReference, lowered: NDArray[np.float32]) -> dict[str, float]:
        return {"mean_error": float(np.abs(lowered - reference.targets).mean())}

    def task_losses(self, reference: GateReference, record: GateRecord) -> Sequence[str]:
        limit = reference.task_limits["max_error"]
        return ["too far off"] if record.measures.get("mean_error", 0.0) > limit else []

    def fit_decision(self, requirements: DecisionRequirements, outputs: NDArray[np.float32]) -> Fit:
        return Fit(msgspec.defstruct("Decision", [])())

    def outcome(self, *arguments: Any) -> dict[str, Any]:
        return {}

    def floors(self, *arguments: Any) -> FloorMeasures:
        return FloorMeasures(Interval(None), 0.0, {}, Interval(None), Interval(None))

    def divergence(
        self, plain: NDArray[np.float32], changed: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        return np.asarray((plain - changed) ** 2, np.float64).reshape(len(plain), -1).sum(axis=1)


TARGETS = np.linspace(0, 4, 80, dtype=np.float32)[:, None]


def judged(lowered: NDArray[np.float32], images: int = 80, **options: Any) -> GateRecord:
    reference = GateReference(
        TARGETS[:images], TARGETS[:images], (), LIMITS, {}, task_limits={"max_error": 0.1}
    )
    return Thickness().judge(reference, lowered[:images], runtime={"engine": "x"}, **options)


def test_a_task_without_classes_is_held_to_its_own_limit() -> None:
    gate = judged(TARGETS + np.float32(0.05))
    assert (gate.passed, gate.per_class, gate.balanced_accuracy, gate.ece) == (True, {}, None, None)
    assert gate.measures["mean_error"] == pytest.approx(0.05)
    assert judged(TARGETS + np.float32(0.2)).reasons == ("too far off",)


def test_what_all_tasks_share_holds_for_it_too() -> None:
    assert "49 validation images are fewer than 50" in judged(TARGETS, 49).reasons[0]
    assert any(
        "no rounding" in one for one in judged(TARGETS + np.float32(0.05), exact=True).reasons
    )
    broken = TARGETS.copy()
    broken[3] = np.inf
    gate = judged(broken)
    assert "1 outputs are not finite" in gate.reasons
    assert (gate.max_logit_difference, gate.measures) == (-1.0, {})


def test_self_test_takes_different_targets_in_turn() -> None:
    targets = np.array([2, 2, 0, 1, 2, 0])
    assert Thickness().selftest_order(targets, 4).tolist() == [0, 2, 3, 1]
    sets = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 0]], np.float32)
    assert Thickness().selftest_order(sets, 3).tolist() == [0, 2, 4]
    assert Thickness().selftest_order(TARGETS, 3).tolist() == [0, 1, 2]


def test_without_a_loss_of_its_own_a_task_imitates_by_squares() -> None:
    student, teacher = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]])
    assert float(Thickness().imitation_loss(student, teacher, 4.0)) == 2.5


def test_the_default_task_has_an_evidence_layer() -> None:
    assert isinstance(evidence_task(DEFAULT_TASK), EvidenceTask)
