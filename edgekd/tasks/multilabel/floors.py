"""Findings that may occur together: what a lowered file reaches by itself, for floors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.floors import FloorMeasures
from edgekd.metrics import Estimate, Interval, share_interval
from edgekd.metrics.task import metrics_task
from edgekd.tasks.multilabel.manifest import Decision
from edgekd.tasks.multilabel.outcome import decide

__all__ = ["CHANCE", "floor_measures"]

CHANCE = 0.5
"""Balanced accuracy where every finding gets the same answer for every image."""


def floor_measures(
    requirements: DecisionRequirements,
    decision: Decision,
    logits: NDArray[np.float32],
    retaken: NDArray[np.bool_],
) -> FloorMeasures:
    """What a file and its decision reach on labelled images.

    A critical finding is noticed where it is answered present or the image is referred.

    Args:
        requirements: The images and the critical findings.
        decision: The manifest's decision.
        logits: The file's logits [N, K], finite.
        retaken: Whether each image [N] would have to be taken again.
    """
    targets, groups, classes = requirements.targets, requirements.groups, requirements.classes
    answered, present = decide(decision, logits, classes)
    true = targets > 0
    critical = {name: classes.index(name) for name in requirements.critical}
    indices = list(critical.values())
    without = np.asarray(~true[:, indices].any(axis=1))
    cleared = answered & ~retaken & ~present[:, indices].any(axis=1)
    metrics = metrics_task(requirements.task).evaluate(logits, targets, classes, groups=groups)
    balanced = metrics.balanced_accuracy or Estimate(value=None)

    def share(flags: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval:
        return share_interval(flags[among], None if groups is None else groups[among])

    return FloorMeasures(
        balanced_accuracy=Interval(balanced.value, balanced.low, balanced.high),
        chance=CHANCE,
        noticed={
            name: share(~answered | present[:, index], true[:, index])
            for name, index in critical.items()
        },
        answered=share_interval(answered & ~retaken, groups),
        specificity=share(cleared, without),
    )
