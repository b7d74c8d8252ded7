"""Classification: what a lowered file reaches by itself, for the floors of a policy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.floors import FloorMeasures
from edgekd.metrics import Interval, bootstrap_intervals, share_interval
from edgekd.tasks.classification.manifest import Decision
from edgekd.tasks.classification.outcome import are_answers

__all__ = ["floor_measures"]


def floor_measures(
    requirements: DecisionRequirements,
    decision: Decision,
    logits: NDArray[np.float32],
    retaken: NDArray[np.bool_],
) -> FloorMeasures:
    """What a file and its decision reach on labelled images.

    Args:
        requirements: The images and the critical classes.
        decision: The manifest's decision.
        logits: The file's logits [N, K], finite.
        retaken: Whether each image [N] would have to be taken again.
    """
    targets, groups = requirements.targets, requirements.groups
    answered = are_answers(decision, logits, requirements.classes)
    top = logits.argmax(axis=1)
    critical = {name: requirements.classes.index(name) for name in requirements.critical}
    indices = list(critical.values())
    others = ~np.isin(targets, indices)
    cleared = answered & ~retaken & ~np.isin(top, indices)

    def share(flags: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval:
        return share_interval(flags[among], None if groups is None else groups[among])

    return FloorMeasures(
        balanced_accuracy=bootstrap_intervals(logits, targets, groups=groups).balanced_accuracy,
        chance=1 / max(1, len(np.unique(targets))),
        noticed={
            name: share(~answered | (top == index), targets == index)
            for name, index in critical.items()
        },
        answered=share_interval(answered & ~retaken, groups),
        specificity=share(cleared, others),
    )
