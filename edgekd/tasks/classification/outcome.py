"""Classification: what a fitted decision does with labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.evidence.decision import share_of
from edgekd.tasks.classification.decision import judge
from edgekd.tasks.classification.manifest import Decision

__all__ = ["are_answers", "outcome_of"]


def are_answers(
    decision: Decision, logits: NDArray[np.float32], classes: Sequence[str]
) -> NDArray[np.bool_]:
    """Whether each row of logits [N, K] is answered [N]; the others are referred."""
    return np.array([judge(row, decision, classes).verdict == "answer" for row in logits], np.bool_)


def outcome_of(
    decision: Decision,
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    classes: Sequence[str],
    retaken: NDArray[np.bool_],
) -> dict[str, Any]:
    """What the whole decision does with labelled images, as counts and shares.

    Args:
        decision: The manifest's decision.
        logits: Logits [N, K].
        targets: Class indices [N].
        classes: The K class names.
        retaken: Whether each image [N] would have to be taken again.

    Returns:
        `answered`, `retaken`: shares of the images; `right`: share of the answers; `per_class`:
        for each class its images and the shares of them that were answered right, answered wrong
        (missed), referred and retaken. Each share has its Wilson interval.
    """
    certain = are_answers(decision, logits, classes)
    answered = certain & ~retaken
    right = logits.argmax(axis=1) == targets
    outcome: dict[str, Any] = {
        "answered": share_of(answered),
        "retaken": share_of(retaken),
        "right": share_of(right[answered]),
        "per_class": {},
    }
    for index, name in enumerate(classes):
        shown = targets == index
        outcome["per_class"][name] = {
            "images": int(shown.sum()),
            "answered_right": share_of((answered & right)[shown]),
            "missed": share_of((answered & ~right)[shown]),
            "referred": share_of((~certain & ~retaken)[shown]),
            "retaken": share_of(retaken[shown]),
        }
    return outcome
