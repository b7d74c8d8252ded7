"""The evidence layer: the gate holds the mean change, the decision the learnt range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import GateRecord
from edgekd.lower.evidence.decision import DecisionRequirements, Fit, share_of
from edgekd.lower.evidence.floors import FloorMeasures
from edgekd.lower.evidence.gate import Changes, GateReference
from edgekd.lower.task import EvidenceTask
from edgekd.metrics.intervals import Interval, share_interval
from edgekd_outside.task.device import TOLERANCE, within
from edgekd_outside.task.manifest import Decision


class Evidence(EvidenceTask):
    """The evidence layer."""

    divergence_unit = "units"

    def changes(self, reference: GateReference, outputs: NDArray[np.float32]) -> Changes:
        """There are no classes to lose."""
        return Changes()

    def measures(self, reference: GateReference, lowered: NDArray[np.float32]) -> dict[str, float]:
        """Mean absolute change of the number."""
        return {"mean_change": float(np.abs(lowered - reference.student).mean())}

    def task_losses(self, reference: GateReference, record: GateRecord) -> Sequence[str]:
        """Whether the mean change exceeds the policy's `max_mean_change`."""
        limit = float(reference.task_limits.get("max_mean_change", 0.02))
        change = record.measures.get("mean_change", 0.0)
        if change <= limit:
            return ()
        return (f"the number changes by {change:.3g} on average, more than {limit:g}",)

    def fit_decision(self, requirements: DecisionRequirements, outputs: NDArray[np.float32]) -> Fit:
        """The range of the true numbers."""
        targets = requirements.targets
        return Fit(
            Decision(
                lowest=float(targets.min()),
                highest=float(targets.max()),
                fitted_on=requirements.fitted_on,
            )
        )

    def outcome(
        self,
        decision: Decision,
        outputs: NDArray[np.float32],
        targets: NDArray[Any],
        classes: Sequence[str],
        retaken: NDArray[np.bool_],
    ) -> dict[str, Any]:
        """An answer is right where it is within the tolerance."""
        answered = within(outputs, decision) & ~retaken
        right = np.abs(outputs - targets)[:, 0] <= TOLERANCE
        return {
            "answered": share_of(answered),
            "retaken": share_of(retaken),
            "right": share_of(right[answered]),
            "per_class": {},
        }

    def floors(
        self,
        requirements: DecisionRequirements,
        decision: Decision,
        outputs: NDArray[np.float32],
        retaken: NDArray[np.bool_],
    ) -> FloorMeasures:
        """The share of images that get an answer."""
        answered = within(outputs, decision) & ~retaken
        return FloorMeasures(
            balanced_accuracy=Interval(None),
            chance=0.0,
            noticed={},
            answered=share_interval(answered, requirements.groups),
            specificity=Interval(None),
        )

    def divergence(
        self, plain: NDArray[np.float32], changed: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Absolute difference of the numbers [N]."""
        return np.abs(plain.astype(np.float64) - changed)[:, 0]

    def output_format(self, classes: Sequence[str]) -> dict[str, Any]:
        """One number."""
        return {"type": "values", "format": "values", "num_channels": 1, "dtype": "float32"}
