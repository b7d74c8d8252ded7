"""Findings that may occur together: what a fitted decision does with labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.evidence.decision import share_of
from edgekd.tasks.multilabel.decision import finding_probabilities, joint_energy, states_of
from edgekd.tasks.multilabel.manifest import Decision

__all__ = ["Decided", "decide", "outcome_of"]

Flags = NDArray[np.bool_]


class Decided(NamedTuple):
    """What a decision makes of N images.

    Attributes:
        answered: Images that are answered [N]; the others are referred.
        present: Findings that are called present [N, K].
    """

    answered: Flags
    present: Flags


def decide(decision: Decision, logits: NDArray[np.float32], classes: Sequence[str]) -> Decided:
    """The decision on many images at once, as `judge_findings` makes it for one.

    Args:
        decision: The manifest's decision.
        logits: Logits [N, K].
        classes: The K findings.
    """
    probabilities = finding_probabilities(logits, decision.temperature)
    present, absent = states_of(probabilities, decision, classes)
    answered = np.asarray((present | absent).all(axis=1))
    if decision.energy_threshold is not None:
        answered &= joint_energy(logits) <= decision.energy_threshold
    return Decided(answered, present)


def outcome_of(
    decision: Decision,
    logits: NDArray[np.float32],
    targets: NDArray[Any],
    classes: Sequence[str],
    retaken: Flags,
) -> dict[str, Any]:
    """What the whole decision does with labelled images, as counts and shares.

    Args:
        decision: The manifest's decision.
        logits: Logits [N, K].
        targets: 0 and 1, [N, K].
        classes: The K findings.
        retaken: Whether each image [N] would have to be taken again.

    Returns:
        `answered`, `retaken`: shares of the images; `right`: share of the answers in which every
        finding is right; `per_class`: for each finding the images that have it and the shares of
        them in which it was answered present, answered absent (missed), referred and retaken.
        Each share has its Wilson interval.
    """
    certain, present = decide(decision, logits, classes)
    true = targets > 0
    answered = certain & ~retaken
    outcome: dict[str, Any] = {
        "answered": share_of(answered),
        "retaken": share_of(retaken),
        "right": share_of((present == true).all(axis=1)[answered]),
        "per_class": {},
    }
    for index, name in enumerate(classes):
        images, called = true[:, index], present[:, index]
        outcome["per_class"][name] = {
            "images": int(images.sum()),
            "answered_right": share_of((answered & called)[images]),
            "missed": share_of((answered & ~called)[images]),
            "referred": share_of((~certain & ~retaken)[images]),
            "retaken": share_of(retaken[images]),
        }
    return outcome
