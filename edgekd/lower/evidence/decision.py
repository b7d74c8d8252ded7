"""The decision of one lowered file, fitted on its own answers to the validation images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import Decision
from edgekd.errors import GateFailedError
from edgekd.lower.evidence.margin import half_way_down, half_way_up
from edgekd.lower.source import Source
from edgekd.metrics import (
    OperatingPoint,
    ReferBand,
    conformal_quantile,
    energy_threshold,
    fit_temperature,
    operating_point,
    refer_band_for_coverage,
    refer_band_for_sensitivity,
    wilson,
)
from edgekd.runtime.decision import calibrated, energy_of, judge
from edgekd.targets import DecisionRule, Target

__all__ = ["Fit", "fit_decision", "outcome_of"]


@dataclass(frozen=True)
class Fit:
    """A fitted decision.

    Attributes:
        decision: For the manifest.
        points: Operating point of each critical class, also of those without evidence for one.
    """

    decision: Decision
    points: dict[str, OperatingPoint]


def fit_decision(source: Source, target: Target, logits: NDArray[np.float32]) -> Fit:
    """Temperature, thresholds, refer band, conformal quantile and energy threshold.

    Args:
        source: The student and the validation images.
        target: What it asks of the decision.
        logits: Of the lowered file [N, K] on those images.

    Raises:
        GateFailedError: No refer band reaches the sensitivity that the target asks of answers.
    """
    rule, classes = target.decision, source.card.classes
    temperature = fit_temperature(logits, source.targets)
    probabilities = calibrated(logits, temperature)
    critical = {name: classes.index(name) for name in target.critical_of(classes)}
    band = _band(rule, probabilities, source.targets, critical)
    points = _points(rule, probabilities, source.targets, critical)
    thresholds = {
        name: half_way_down(point.threshold, probabilities[:, critical[name]])
        for name, point in points.items()
        if point.threshold is not None
    }
    energies = energy_of(logits)
    energy = energy_threshold(energies, rule.energy_kept)
    decision = Decision(
        temperature=temperature,
        thresholds=thresholds or None,
        threshold_sensitivity=rule.critical_sensitivity if thresholds else None,
        refer_below=_refer_below(band, probabilities),
        refer_coverage=band.coverage.value if band else None,
        conformal_quantile=conformal_quantile(
            probabilities, source.targets, rule.conformal_coverage
        ),
        conformal_coverage=rule.conformal_coverage,
        energy_threshold=None if energy is None else half_way_up(energy, energies),
        energy_kept=rule.energy_kept,
        fitted_on={
            "part": "validation",
            "images": len(source.targets),
            "split_sha256": source.card.data.sha256,
            "images_sha256": source.images_sha256,
        },
    )
    return Fit(decision, points)


def _band(
    rule: DecisionRule,
    probabilities: NDArray[np.float64],
    targets: NDArray[np.int64],
    critical: dict[str, int],
) -> ReferBand | None:
    if rule.refer_sensitivity is not None and critical:
        band = refer_band_for_sensitivity(probabilities, targets, critical, rule.refer_sensitivity)
        if band.reason:
            message = f"answers cannot be as sensitive as asked: {band.reason}"
            raise GateFailedError(message, "ask for a lower refer_sensitivity, or train further")
        return band
    if rule.refer_coverage < 1.0:
        return refer_band_for_coverage(probabilities, rule.refer_coverage)
    return None


def _refer_below(band: ReferBand | None, probabilities: NDArray[np.float64]) -> float | None:
    if band is None or band.refer_below is None:
        return None
    return half_way_down(band.refer_below, probabilities.max(axis=1))


def _points(
    rule: DecisionRule,
    probabilities: NDArray[np.float64],
    targets: NDArray[np.int64],
    critical: dict[str, int],
) -> dict[str, OperatingPoint]:
    """Of the critical classes."""
    if not rule.critical_sensitivity:
        return {}
    return {
        name: operating_point(probabilities, targets, index, rule.critical_sensitivity)
        for name, index in critical.items()
    }


def outcome_of(
    decision: Decision,
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    classes: tuple[str, ...],
    retaken: NDArray[np.bool_],
) -> dict[str, Any]:
    """What the whole decision does with labelled images, as counts and shares.

    Args:
        decision: Of the manifest.
        logits: [N, K].
        targets: Class indices [N].
        classes: The K class names.
        retaken: Which images [N] would have to be taken again.

    Returns:
        `answered`, `retaken`: shares of the images; `right`: share of the answers; `per_class`:
        for each class its images and the shares of them that were answered right, answered wrong
        (missed), referred and retaken. Each share with its Wilson interval.
    """
    certain = np.array([judge(row, decision, classes).verdict == "answer" for row in logits])
    answered = certain & ~retaken
    right = logits.argmax(axis=1) == targets
    found: dict[str, Any] = {
        "answered": _share(answered),
        "retaken": _share(retaken),
        "right": _share(right[answered]),
        "per_class": {},
    }
    for index, name in enumerate(classes):
        own = targets == index
        found["per_class"][name] = {
            "images": int(own.sum()),
            "answered_right": _share((answered & right)[own]),
            "missed": _share((answered & ~right)[own]),
            "referred": _share((~certain & ~retaken)[own]),
            "retaken": _share(retaken[own]),
        }
    return found


def _share(flags: NDArray[np.bool_]) -> dict[str, float | None]:
    estimate: dict[str, float | None] = wilson(int(flags.sum()), flags.size)._asdict()
    return estimate
