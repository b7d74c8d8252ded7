"""Classification: the decision of one lowered file, fitted on its own logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import GateFailedError
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.lower.evidence.margin import half_way_down, half_way_up
from edgekd.metrics import (
    OperatingPoint,
    ReferBand,
    conformal_quantile,
    energy_threshold,
    fit_temperature,
    operating_point,
    refer_band_for_coverage,
    refer_band_for_sensitivity,
)
from edgekd.policy import DecisionRule
from edgekd.tasks.classification.decision import class_probabilities, energy_of
from edgekd.tasks.classification.manifest import Decision

__all__ = ["fit_decision"]


def fit_decision(requirements: DecisionRequirements, logits: NDArray[np.float32]) -> Fit:
    """Temperature, thresholds, refer band, conformal quantile and energy threshold.

    Args:
        requirements: The rule, the labelled images and the critical classes.
        logits: The lowered file's logits [N, K] for those images.

    Raises:
        GateFailedError: No refer band reaches the sensitivity that answers must have.
    """
    rule, targets = requirements.rule, requirements.targets
    temperature = fit_temperature(logits, targets)
    probabilities = class_probabilities(logits, temperature)
    critical = {name: requirements.classes.index(name) for name in requirements.critical}
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
        fitted_on=requirements.fitted_on,
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
    """Operating points of the critical classes."""
    if not rule.critical_sensitivity:
        return {}
    return {
        name: operating_point(probabilities, targets, index, rule.critical_sensitivity)
        for name, index in critical.items()
    }
