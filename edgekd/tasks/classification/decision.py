"""From logits to a decision, by the manifest: pure arithmetic, deterministic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.runtime.reason import Reason, share_text, unfamiliar
from edgekd.runtime.task import Judgement
from edgekd.tasks.classification.manifest import Decision

__all__ = [
    "class_probabilities",
    "energy_of",
    "judge",
    "plausible",
    "prediction_set",
    "reasons_of",
]


def class_probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Class probabilities [..., K] of logits [..., K] after temperature scaling.

    Where one logit is not finite, all probabilities are NaN: nothing in that output can be trusted.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    finite = np.isfinite(logits).all(axis=-1, keepdims=True)
    scaled = np.where(finite, logits.astype(np.float64), np.nan) / temperature
    exponent = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True))


def energy_of(logits: ArrayLike) -> NDArray[np.float64]:
    """Energy [...] of raw logits [..., K]: -log Σ exp(z), in nats, float64.

    Low where the network strongly favours some class. The logits are raw: the temperature of the
    probabilities is not applied. Where a logit is not finite the energy is infinite, so that the
    output counts as out of distribution.

    Source: Liu et al. 2020, "Energy-based Out-of-distribution Detection", equation 4 with T = 1,
    which the paper uses throughout.
    """
    raw = np.asarray(logits, np.float64)
    finite = np.asarray(np.isfinite(raw).all(axis=-1))
    scores = np.where(finite[..., None], raw, 0.0)
    top = scores.max(axis=-1)
    # Two huge logits may lie further apart than float64 reaches: the lower one adds 0 either way.
    with np.errstate(over="ignore"):
        rest = np.log(np.exp(scores - top[..., None]).sum(axis=-1))
    return np.asarray(np.where(finite, -(top + rest), np.inf))


def prediction_set(probabilities: ArrayLike, quantile: float) -> NDArray[np.bool_]:
    """The conformal set [..., K] of probabilities [..., K]; see `plausible` for what is shown.

    Several classes mean that the network cannot tell them apart; no class, that the image is
    like none of the images it was fitted on. Where the output is not finite, nothing is excluded.

    Args:
        probabilities: [..., K].
        quantile: From `edgekd.metrics.conformal_quantile`.

    Source: Sadinle, Lei, Wasserman 2019, "Least Ambiguous Set-Valued Classifiers with Bounded
    Error Levels".
    """
    # "Not above" instead of "up to": NaN compares false with everything and must stay in.
    return np.asarray(~(1.0 - np.asarray(probabilities, np.float64) > quantile))


def judge(logits: NDArray[np.float32], decision: Decision, classes: Sequence[str]) -> Judgement:
    """Judge the raw logits [K] of one image: `refer` where `reasons_of` gives a reason."""
    probabilities = class_probabilities(logits, decision.temperature)
    reasons = reasons_of(probabilities, float(energy_of(logits)), decision, classes)
    top = int(logits.argmax())
    return Judgement(
        label=classes[top],
        verdict="refer" if reasons else "answer",
        reasons=reasons,
        probability=float(probabilities[top]),
        probabilities=dict(zip(classes, probabilities.tolist(), strict=True)),
        conformal_set=plausible(probabilities, decision, classes),
    )


def plausible(
    probabilities: NDArray[np.float64], decision: Decision, classes: Sequence[str]
) -> tuple[str, ...] | None:
    """The classes that cannot be excluded, in the model's order; None without a quantile.

    The conformal set, with the top class and every class that reaches its operating threshold
    added, so that neither the answer nor a reason to refer is shown as excluded. Added classes
    keep the conformal coverage. A class of the set that is below its operating threshold is no
    reason to refer.

    Args:
        probabilities: Calibrated, [K].
        decision: The manifest's decision.
        classes: The K class names.
    """
    if decision.conformal_quantile is None:
        return None
    kept = prediction_set(probabilities, decision.conformal_quantile)
    kept |= probabilities == probabilities.max()
    kept |= _reaching(probabilities, decision, classes)
    return tuple(name for name, inside in zip(classes, kept.tolist(), strict=True) if inside)


def reasons_of(
    probabilities: NDArray[np.float64], energy: float, decision: Decision, classes: Sequence[str]
) -> tuple[Reason, ...]:
    """Why an output is not an answer; empty where it is one.

    Reasons, in this order: the output is not finite; its energy is above the threshold, so the
    image is unlike the training images; the top probability is below `refer_below`; a class other
    than the top one reaches its operating threshold.

    Args:
        probabilities: Calibrated, [K].
        energy: Energy of the logits.
        decision: The manifest's decision.
        classes: The K class names.
    """
    if not np.isfinite(probabilities).all():
        return (Reason("not-finite", "the network's output is not finite"),)
    return (
        *unfamiliar(energy, decision.energy_threshold),
        *_unsure(probabilities, decision),
        *_not_excluded(probabilities, decision, classes),
    )


def _reaching(
    probabilities: NDArray[np.float64], decision: Decision, classes: Sequence[str]
) -> NDArray[np.bool_]:
    """Which classes [K] reach their operating threshold; one without a threshold never does."""
    thresholds = decision.thresholds or {}
    least = np.array([thresholds.get(name, np.inf) for name in classes])
    return np.asarray(probabilities >= least)


def _unsure(probabilities: NDArray[np.float64], decision: Decision) -> list[Reason]:
    top, least = float(probabilities.max()), decision.refer_below
    if least is None or top >= least:
        return []
    return [Reason("unsure", f"the top probability {top:.2f} is below {least:.2f}")]


def _not_excluded(
    probabilities: NDArray[np.float64], decision: Decision, classes: Sequence[str]
) -> list[Reason]:
    thresholds = decision.thresholds or {}
    reached = _reaching(probabilities, decision, classes)
    reached[int(probabilities.argmax())] = False
    reasons = []
    for index in np.flatnonzero(reached).tolist():
        name, share = classes[index], share_text(float(probabilities[index]))
        limit = share_text(thresholds[name])
        text = f"{name} cannot be excluded: its probability {share} reaches {limit}"
        reasons.append(Reason("not-excluded", text))
    return reasons
