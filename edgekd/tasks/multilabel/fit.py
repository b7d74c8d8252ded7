"""Findings that may occur together: the decision of one lowered file, fitted on its own logits."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import GateFailedError
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.lower.evidence.margin import half_way_down, half_way_up
from edgekd.metrics import MIN_CLASS_IMAGES, OperatingPoint, energy_threshold, operating_point
from edgekd.metrics import fit_temperature as fit_softmax_temperature
from edgekd.metrics.operating import count_for
from edgekd.tasks.multilabel.decision import finding_probabilities, joint_energy, states_of
from edgekd.tasks.multilabel.manifest import PRESENT_FROM, Decision

__all__ = ["fit_decision", "fit_temperature"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def fit_temperature(logits: NDArray[np.float32], targets: NDArray[Any]) -> float:
    """The one temperature with the least binary log-loss over all findings of all images.

    The sigmoid of z is the softmax of the pair (0, z), so `edgekd.metrics.fit_temperature` fits it.

    Args:
        logits: [N, K], finite.
        targets: 0 and 1, [N, K].

    Raises:
        InputError: There are no images, or a logit is not finite.
    """
    pairs = np.stack([np.zeros(logits.size), logits.ravel()], axis=1)
    return fit_softmax_temperature(pairs, targets.ravel().astype(np.int64))


def fit_decision(requirements: DecisionRequirements, logits: NDArray[np.float32]) -> Fit:
    """Temperature, the thresholds of each finding, and the energy threshold.

    A finding is present from 0.5 on. The refer band reaches to both sides of that, for every
    finding, as far as `refer_coverage` or `refer_sensitivity` demand. A critical
    finding is called absent only below its operating threshold, where that is lower.

    Args:
        requirements: The rule, the labelled images and the critical findings.
        logits: The lowered file's logits [N, K] for those images.

    Raises:
        GateFailedError: No refer band reaches the sensitivity that is demanded of answers.
    """
    rule, classes, targets = requirements.rule, requirements.classes, requirements.targets
    temperature = fit_temperature(logits, targets)
    probabilities = finding_probabilities(logits, temperature)
    true = targets > 0
    critical = {name: classes.index(name) for name in requirements.critical}
    band = _band(requirements, probabilities, true)
    points = {
        name: _operating_point(probabilities[:, index], true[:, index], rule.critical_sensitivity)
        for name, index in critical.items()
        if rule.critical_sensitivity
    }
    absent = dict.fromkeys(classes, PRESENT_FROM - band) if band else {}
    for name, point in points.items():
        if point.threshold is not None:
            threshold = half_way_down(point.threshold, probabilities[:, critical[name]])
            absent[name] = min(threshold, PRESENT_FROM - band)
    energies = joint_energy(logits)
    energy = energy_threshold(energies, rule.energy_kept)
    fitted = any(point.threshold is not None for point in points.values())
    decision = Decision(
        temperature=temperature,
        present_from=dict.fromkeys(classes, PRESENT_FROM + band) if band else None,
        absent_below=absent or None,
        critical=tuple(critical),
        threshold_sensitivity=rule.critical_sensitivity if fitted else None,
        energy_threshold=None if energy is None else half_way_up(energy, energies),
        energy_kept=rule.energy_kept,
        fitted_on=requirements.fitted_on,
    )
    return Fit(_with_coverage(decision, probabilities, requirements), points)


def _with_coverage(
    decision: Decision, probabilities: Floats, requirements: DecisionRequirements
) -> Decision:
    """The decision with the share of images that have no unsure finding."""
    present, absent = states_of(probabilities, decision, requirements.classes)
    sure = (present | absent).all(axis=1)
    return msgspec.structs.replace(
        decision, refer_coverage=float(sure.mean()) if sure.size else None
    )


def _operating_point(probabilities: Floats, true: Flags, sensitivity: float) -> OperatingPoint:
    """The threshold of one finding, fitted as for one of two classes.

    Args:
        probabilities: Probabilities of the finding [N].
        true: Whether each image has the finding [N].
        sensitivity: Share of these that the threshold must keep.
    """
    pairs = np.stack([1 - probabilities, probabilities], axis=1)
    return operating_point(pairs, true.astype(np.int64), 1, sensitivity)


# ---- the refer band: how far from 0.5 a probability has to be ----


def _band(requirements: DecisionRequirements, probabilities: Floats, true: Flags) -> float:
    """Half the width of the band around 0.5 in which a finding is unsure; 0 for none."""
    rule = requirements.rule
    distance = np.abs(probabilities - PRESENT_FROM)
    indices = [requirements.classes.index(name) for name in requirements.critical]
    if rule.refer_sensitivity is not None and indices:
        return _band_for_sensitivity(requirements, probabilities, true, indices)
    if rule.refer_coverage >= 1.0 or not distance.size:
        return 0.0
    certainty = np.sort(distance.min(axis=1))  # each image as certain as its least certain finding
    widest = float(certainty[certainty.size - count_for(rule.refer_coverage, certainty.size)])
    return _inside(widest, distance)


def _band_for_sensitivity(
    requirements: DecisionRequirements, probabilities: Floats, true: Flags, indices: list[int]
) -> float:
    """The narrowest band outside of which every critical finding has the demanded sensitivity."""
    sensitivity = requirements.rule.refer_sensitivity or 0.0
    distance = np.abs(probabilities - PRESENT_FROM)
    widths = np.unique(np.append(distance[:, indices], 0.0))
    for width in widths.tolist():
        counts = [
            _answered(probabilities[true[:, index], index], distance[true[:, index], index], width)
            for index in indices
        ]
        if any(answered < MIN_CLASS_IMAGES for _, answered in counts):
            break  # a wider band answers fewer
        if all(right >= count_for(sensitivity, answered) for right, answered in counts):
            return _inside(width, distance)
    names = ", ".join(requirements.critical)
    message = (
        f"answers cannot be as sensitive as asked: no band that keeps {MIN_CLASS_IMAGES} images "
        f"brings {names} to {sensitivity:g}"
    )
    raise GateFailedError(message, "ask for a lower refer_sensitivity, or train further")


def _answered(probabilities: Floats, distance: Floats, width: float) -> tuple[int, int]:
    """Numbers of images outside the band: those answered present, and all."""
    outside = distance >= width
    return int((outside & (probabilities >= PRESENT_FROM)).sum()), int(outside.sum())


def _inside(width: float, distance: Floats) -> float:
    """Half-way to the next smaller distance, so that no decision depends on a last digit."""
    return half_way_down(width, distance) if width > 0 else 0.0
