"""The decision of one lowered file, fitted on its own answers to the validation images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import GateFailedError
from edgekd.lower.evidence.margin import half_way_down, half_way_up
from edgekd.metrics import (
    OperatingPoint,
    ReferBand,
    conformal_quantile,
    energy_threshold,
    fit_temperature,
    metrics_of,
    operating_point,
    refer_band_for_coverage,
    refer_band_for_sensitivity,
    wilson,
)
from edgekd.targets import DecisionRule, Target
from edgekd.tasks.classification.decision import class_probabilities, energy_of, judge
from edgekd.tasks.classification.manifest import Decision

if TYPE_CHECKING:
    from edgekd.lower.source import Source

__all__ = [
    "DecisionRequirements",
    "Fit",
    "fit_decision",
    "metrics_with",
    "outcome_of",
    "requirements_of",
]


@dataclass(frozen=True)
class DecisionRequirements:
    """What is asked of a decision, on which images.

    Attributes:
        rule: Of the target.
        classes: The K class names.
        critical: Names of the critical ones among them.
        targets: Class indices of the images [N].
        fitted_on: Which images they are, for the manifest.
        ordered: The classes are grades.
        groups: A number for the lesion or patient of each image [N]; None where none are known.
    """

    rule: DecisionRule
    classes: Sequence[str]
    critical: Sequence[str]
    targets: NDArray[np.int64]
    fitted_on: dict[str, Any]
    ordered: bool = False
    groups: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Fit:
    """A fitted decision.

    Attributes:
        decision: For the manifest.
        points: Operating point of each critical class, also of those without evidence for one.
    """

    decision: Decision
    points: dict[str, OperatingPoint]


def requirements_of(source: Source, target: Target) -> DecisionRequirements:
    """What a target asks of the decision of a student's files, on its validation images."""
    classes = source.card.classes
    fitted_on = {
        "part": "validation",
        "images": len(source.targets),
        "groups": len(np.unique(source.groups)),
        "split_sha256": source.card.data.sha256,
        "images_sha256": source.images_sha256,
    }
    critical = tuple(target.critical_of(classes))
    ordered, groups = source.card.ordered, source.groups
    return DecisionRequirements(
        target.decision, classes, critical, source.targets, fitted_on, ordered, groups
    )


def fit_decision(asked: DecisionRequirements, logits: NDArray[np.float32]) -> Fit:
    """Temperature, thresholds, refer band, conformal quantile and energy threshold.

    Args:
        asked: What is asked of the decision.
        logits: Of the lowered file [N, K] on those images.

    Raises:
        GateFailedError: No refer band reaches the sensitivity that the target asks of answers.
    """
    rule, targets = asked.rule, asked.targets
    temperature = fit_temperature(logits, targets)
    probabilities = class_probabilities(logits, temperature)
    critical = {name: asked.classes.index(name) for name in asked.critical}
    band = _band(rule, probabilities, targets, critical)
    points = _points(rule, probabilities, targets, critical)
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
        conformal_quantile=conformal_quantile(probabilities, targets, rule.conformal_coverage),
        conformal_coverage=rule.conformal_coverage,
        energy_threshold=None if energy is None else half_way_up(energy, energies),
        energy_kept=rule.energy_kept,
        fitted_on=asked.fitted_on,
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


def metrics_with(
    fit: Fit, asked: DecisionRequirements, logits: NDArray[np.float32], retaken: NDArray[np.bool_]
) -> dict[str, Any]:
    """What the manifest says of a file and its decision on the images that it was fitted on.

    Args:
        fit: The decision.
        asked: What it was fitted to.
        logits: Of the file [N, K].
        retaken: Which images [N] would have to be taken again.
    """
    calibrated = logits / fit.decision.temperature
    own = metrics_of(
        calibrated, asked.targets, asked.classes, ordered=asked.ordered, groups=asked.groups
    )
    return {
        "artefact": msgspec.to_builtins(own),
        "decision": outcome_of(fit.decision, logits, asked.targets, asked.classes, retaken),
        "operating_points": msgspec.to_builtins(fit.points),
    }


def outcome_of(
    decision: Decision,
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    classes: Sequence[str],
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
