"""Findings that may occur together: what a lowered file may lose, and the fit of its decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import GateRecord
from edgekd.lower.evidence.card import estimate_text
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.lower.evidence.floors import FloorMeasures
from edgekd.lower.evidence.gate import Changes, GateReference, class_change, exceeds, points
from edgekd.lower.task import EvidenceTask
from edgekd.metrics.resampling import group_codes
from edgekd.tasks.multilabel.fit import fit_decision, fit_temperature
from edgekd.tasks.multilabel.floors import floor_measures
from edgekd.tasks.multilabel.manifest import Decision
from edgekd.tasks.multilabel.outcome import outcome_of
from edgekd.tasks.multilabel.paired import finding_drops, specificity_drops
from edgekd.tasks.multilabel.scores import checked_findings, scores_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Evidence"]

Logits = NDArray[np.float32]

MAX_SPECIFICITY_DROP = "max_specificity_drop"
"""A policy's key for this task: largest measured drop of the specificity for a finding."""


class Evidence(EvidenceTask):
    """Outputs are logits [N, K], targets 0 and 1 [N, K].

    A finding is answered present where its probability is at least 0.5. The gate tests the
    sensitivity for each finding over the images that have it, with the same bounds as
    classification, and the specificity as measured; balanced accuracy is the mean over findings of
    (sensitivity + specificity) / 2. A flip is an image whose set of findings changes.
    """

    def changes(self, reference: GateReference, outputs: Logits) -> Changes:
        """See `EvidenceTask.changes`; a row that is not finite is wrong for every finding."""
        student, targets = reference.student, reference.targets
        drops = finding_drops(student, outputs, targets, groups=reference.groups)
        specificity = specificity_drops(student, outputs, targets)
        drop, before = drops.balanced_accuracy_drop, _scores(student, targets)[0]
        return Changes(
            per_class={
                name: msgspec.structs.replace(
                    class_change(reference, name, each), specificity_drop=lost
                )
                for name, each, lost in zip(
                    reference.classes, drops.classes, specificity, strict=True
                )
            },
            balanced_accuracy=None if before is None else before - (drop.value or 0.0),
            balanced_accuracy_drop=drop,
        )

    def missing_certificates(self, reference: GateReference, lossless: Changes) -> Sequence[str]:
        """Also names findings that almost every image has: their specificity cannot be measured."""
        return [
            *super().missing_certificates(reference, lossless),
            *_unmeasured_specificity(reference),
        ]

    def calibration_error(self, outputs: Logits, targets: NDArray[Any]) -> float | None:
        """Binary ECE of all findings together, with the temperature fitted on these logits."""
        if not len(targets):
            return None
        return _scores(outputs / fit_temperature(outputs, targets), targets)[1]

    def task_losses(self, reference: GateReference, record: GateRecord) -> Sequence[str]:
        """Findings whose specificity drops by more than `max_specificity_drop`.

        Without that key of the policy, by more than the gate's `max_sensitivity_drop`.
        """
        return list(_specificity_losses(reference, record))

    def fit_decision(self, requirements: DecisionRequirements, outputs: Logits) -> Fit:
        """See `edgekd.tasks.multilabel.fit.fit_decision`."""
        return fit_decision(requirements, outputs)

    def outcome(
        self,
        decision: Decision,
        outputs: Logits,
        targets: NDArray[Any],
        classes: Sequence[str],
        retaken: NDArray[np.bool_],
    ) -> dict[str, Any]:
        """See `edgekd.tasks.multilabel.outcome.outcome_of`."""
        return outcome_of(decision, outputs, targets, classes, retaken)

    def floors(
        self,
        requirements: DecisionRequirements,
        decision: Decision,
        outputs: Logits,
        retaken: NDArray[np.bool_],
    ) -> FloorMeasures:
        """See `edgekd.tasks.multilabel.floors.floor_measures`."""
        return floor_measures(requirements, decision, outputs, retaken)

    def decision_lines(self, decision: Decision, points: Mapping[str, Any]) -> Iterator[str]:
        """See `EvidenceTask.decision_lines`."""
        yield f"Temperature {decision.temperature:.3f}, fitted on this very file."
        for name in dict.fromkeys((*(decision.present_from or {}), *(decision.absent_below or {}))):
            absent, present = decision.limits_of(name)
            yield f"Refers where the probability of {name} lies from {absent:.3f} to {present:.3f}."
        for name, point in points.items():
            yield _operating_point(name, point)
        if decision.energy_threshold is not None:
            yield f"Energy above {decision.energy_threshold:.3f} is unlike what was learnt."

    def divergence(self, plain: Logits, changed: Logits) -> NDArray[np.float64]:
        """Sum over findings of KL(σ of plain ‖ σ of changed) of each image [N], in nats."""
        before, after = plain.astype(np.float64), changed.astype(np.float64)
        present = np.exp(-np.logaddexp(0.0, -before))
        # log p = −log(1 + exp(−z)), log (1 − p) = −log(1 + exp z).
        terms = present * (np.logaddexp(0.0, -after) - np.logaddexp(0.0, -before))
        terms += (1 - present) * (np.logaddexp(0.0, after) - np.logaddexp(0.0, before))
        return np.asarray(terms.sum(axis=1))

    def imitation_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """T² · mean over images of Σ KL(σ(teacher/T) ‖ σ(student/T)) over the findings."""
        from torch.nn import functional

        scaled, target = student / temperature, teacher / temperature
        present = target.sigmoid()
        cross = functional.binary_cross_entropy_with_logits(scaled, present, reduction="none")
        entropy = functional.binary_cross_entropy_with_logits(target, present, reduction="none")
        divergence: Tensor = (cross - entropy).sum(dim=1).mean()
        return temperature**2 * divergence


def _operating_point(name: str, point: Mapping[str, Any]) -> str:
    if point["threshold"] is None:
        return f"No threshold for {name}: {point['reason']}."
    return (
        f"The threshold of {name} is {point['threshold']:.3f}: sensitivity "
        f"{estimate_text(point['sensitivity'])}, specificity {estimate_text(point['specificity'])}."
    )


def _scores(logits: NDArray[Any], targets: NDArray[Any]) -> tuple[float | None, float | None]:
    """Balanced accuracy and ECE of finite logits; None where they are not defined."""
    if not len(targets):
        return None, None
    scores = scores_of(checked_findings(logits, targets), np.ones((1, len(targets))))
    values = (float(scores.balanced_accuracy[0]), float(scores.ece[0]))
    balanced, ece = (value if np.isfinite(value) else None for value in values)
    return balanced, ece


def _unmeasured_specificity(reference: GateReference) -> Iterator[str]:
    if reference.limits.max_balanced_accuracy_drop >= 1.0:
        return
    true = reference.targets > 0
    codes = group_codes(reference.groups, len(true))
    for name, images in zip(reference.classes, true.T, strict=True):
        units, words = np.unique(codes[~images]).size, reference.words
        if units < 2:
            yield (
                f"no certificate for the specificity for {name}: {units} "
                f"{words.group if units == 1 else words.groups} without it; two are needed at "
                f"least: add validation images without {name}"
            )


def _specificity_losses(reference: GateReference, record: GateRecord) -> Iterator[str]:
    limit = float(
        reference.task_limits.get(MAX_SPECIFICITY_DROP, reference.limits.max_sensitivity_drop)
    )
    for name, change in record.per_class.items():
        without = record.images - change.images
        drop = change.specificity_drop
        if drop is not None and exceeds(drop, max(limit, 1 / without)):
            yield (
                f"specificity for {name} drops by {points(drop)} ({without} images without it), "
                f"more than {points(limit)}"
            )
