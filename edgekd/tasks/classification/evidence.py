"""Classification: what a lowered file may lose, and the fit of its decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.evidence.card import estimate_text
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.lower.evidence.floors import FloorMeasures
from edgekd.lower.evidence.gate import Changes, GateReference, class_change
from edgekd.lower.task import EvidenceTask
from edgekd.metrics import (
    balanced_accuracy,
    expected_calibration_error,
    fit_temperature,
    paired_drops,
)
from edgekd.tasks.classification.fit import fit_decision
from edgekd.tasks.classification.floors import floor_measures
from edgekd.tasks.classification.manifest import Decision
from edgekd.tasks.classification.outcome import outcome_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Evidence"]

Logits = NDArray[np.float32]


class Evidence(EvidenceTask):
    """Outputs are logits [N, K], targets class indices [N]."""

    def changes(self, reference: GateReference, outputs: Logits) -> Changes:
        """See `EvidenceTask.changes`; a row that is not finite is a wrong decision."""
        student, targets = reference.student, reference.targets
        drops = paired_drops(student, outputs, targets, groups=reference.groups)
        drop = drops.balanced_accuracy_drop
        return Changes(
            per_class={
                name: class_change(reference, name, each)
                for name, each in zip(reference.classes, drops.classes, strict=True)
            },
            balanced_accuracy=(balanced_accuracy(student, targets) or 0.0) - (drop.value or 0.0),
            balanced_accuracy_drop=drop,
        )

    def calibration_error(self, outputs: Logits, targets: NDArray[np.int64]) -> float | None:
        """ECE with the temperature that is fitted on these very logits."""
        if not len(targets):
            return None
        return expected_calibration_error(outputs / fit_temperature(outputs, targets), targets)

    def fit_decision(self, requirements: DecisionRequirements, outputs: Logits) -> Fit:
        """See `edgekd.tasks.classification.fit.fit_decision`."""
        return fit_decision(requirements, outputs)

    def outcome(
        self,
        decision: Decision,
        outputs: Logits,
        targets: NDArray[np.int64],
        classes: Sequence[str],
        retaken: NDArray[np.bool_],
    ) -> dict[str, Any]:
        """See `edgekd.tasks.classification.outcome.outcome_of`."""
        return outcome_of(decision, outputs, targets, classes, retaken)

    def floors(
        self,
        requirements: DecisionRequirements,
        decision: Decision,
        outputs: Logits,
        retaken: NDArray[np.bool_],
    ) -> FloorMeasures:
        """See `edgekd.tasks.classification.floors.floor_measures`."""
        return floor_measures(requirements, decision, outputs, retaken)

    def decision_lines(self, decision: Decision, points: Mapping[str, Any]) -> Iterator[str]:
        """See `EvidenceTask.decision_lines`."""
        yield f"Temperature {decision.temperature:.3f}, fitted on this very file."
        if decision.refer_below is not None:
            yield f"Refers below a top probability of {decision.refer_below:.3f}."
        for name, point in points.items():
            yield _operating_point(name, point)
        if decision.conformal_quantile is not None:
            yield (
                f"Conformal sets: score up to {decision.conformal_quantile:.3f} for a coverage of "
                f"{decision.conformal_coverage}."
            )
        if decision.energy_threshold is not None:
            yield f"Energy above {decision.energy_threshold:.3f} is unlike what was learnt."

    def divergence(self, plain: Logits, changed: Logits) -> NDArray[np.float64]:
        """KL(softmax of plain ‖ softmax of changed) of each image [N], in nats."""
        log_p, log_q = _log_softmax(plain), _log_softmax(changed)
        return np.asarray((np.exp(log_p) * (log_p - log_q)).sum(axis=1))

    def imitation_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """T² · mean KL(σ(teacher/T) ‖ σ(student/T)), σ the softmax (Hinton et al. 2015)."""
        from torch.nn import functional

        log_p, log_q = (
            functional.log_softmax(logits / temperature, dim=1) for logits in (teacher, student)
        )
        divergence = functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
        return temperature**2 * divergence


def _operating_point(name: str, point: Mapping[str, Any]) -> str:
    if point["threshold"] is None:
        return f"No threshold for {name}: {point['reason']}."
    return (
        f"Refers where {name} is not the answer but reaches {point['threshold']:.3f}: sensitivity "
        f"{estimate_text(point['sensitivity'])}, specificity "
        f"{estimate_text(point['specificity'])}, {estimate_text(point['referred'])} of all images "
        "are referred for it."
    )


def _log_softmax(logits: Logits) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
