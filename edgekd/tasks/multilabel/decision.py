"""From logits to findings, by the manifest: pure arithmetic, deterministic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.runtime.reason import Reason, share_text, unfamiliar
from edgekd.runtime.task import Judgement
from edgekd.tasks.multilabel.labels import label_text
from edgekd.tasks.multilabel.manifest import Decision

__all__ = ["finding_probabilities", "joint_energy", "judge_findings", "states_of"]

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]


def finding_probabilities(logits: ArrayLike, temperature: float) -> _Floats:
    """Probability of each finding [..., K] from logits [..., K]: the sigmoid of z / temperature.

    Where one logit of an image is not finite, all of its probabilities are NaN: nothing in that
    output can be trusted.
    """
    raw = np.asarray(logits, np.float64)
    finite = np.isfinite(raw).all(axis=-1, keepdims=True)
    scaled = np.where(finite, raw, np.nan) / temperature
    # The exponent is never positive, so exp cannot overflow.
    small = np.exp(-np.abs(scaled))
    return np.asarray(np.where(scaled >= 0, 1.0, small) / (1.0 + small))


def joint_energy(logits: ArrayLike) -> _Floats:
    """Energy [...] of raw logits [..., K]: −Σ log(1 + exp z) over the findings, in nats, float64.

    Low where the network sees findings clearly; towards 0 where it sees none. An image without
    any finding therefore has a high energy too: a threshold has to be fitted on images that
    include such ones. The temperature of the probabilities is not applied. Where a logit is not
    finite the energy is infinite, so that the output counts as out of distribution.

    Source: Wang et al. 2021, "Can multi-label classification networks know what they don't know?",
    JointEnergy (section 3), with the sign of Liu et al. 2020: higher is further out.
    """
    raw = np.asarray(logits, np.float64)
    finite = np.asarray(np.isfinite(raw).all(axis=-1))
    scores = np.where(finite[..., None], raw, 0.0)
    # Each term is finite; their sum may exceed float64 where logits near its largest value do.
    with np.errstate(over="ignore"):
        energy = -np.logaddexp(0.0, scores).sum(axis=-1)
    return np.asarray(np.where(finite, energy, np.inf))


def states_of(
    probabilities: ArrayLike, decision: Decision, classes: Sequence[str]
) -> tuple[_Flags, _Flags]:
    """Which findings are present and which are absent, both [..., K]; the others are unsure.

    Args:
        probabilities: Calibrated, [..., K]. NaN is neither present nor absent.
        decision: The manifest's decision.
        classes: The K findings.
    """
    shares = np.asarray(probabilities, np.float64)
    absent, present = np.array([decision.limits_of(name) for name in classes]).T
    return np.asarray(shares >= present), np.asarray(shares < absent)


def judge_findings(
    logits: NDArray[np.float32], decision: Decision, classes: Sequence[str]
) -> Judgement:
    """Judge the raw logits [K] of one image: `refer` where there is a reason.

    Reasons are an output that is not finite, an energy above its threshold, and each finding that
    is neither present nor absent; in this order.
    """
    probabilities = finding_probabilities(logits, decision.temperature)
    present, absent = states_of(probabilities, decision, classes)
    states = np.where(present, "present", np.where(absent, "absent", "unsure")).tolist()
    findings = dict(zip(classes, states, strict=True))
    shares = dict(zip(classes, probabilities.tolist(), strict=True))
    reasons = tuple(_reasons(logits, shares, findings, decision))
    return Judgement(
        label=label_text(name for name, state in findings.items() if state == "present"),
        verdict="refer" if reasons else "answer",
        reasons=reasons,
        probabilities=shares,
        findings=findings,
    )


def _reasons(
    logits: NDArray[np.float32],
    shares: dict[str, float],
    findings: dict[str, str],
    decision: Decision,
) -> Iterator[Reason]:
    if not np.isfinite(logits).all():
        yield Reason("not-finite", "the network's output is not finite")
        return
    yield from unfamiliar(float(joint_energy(logits)), decision.energy_threshold)
    for name, state in findings.items():
        if state == "unsure":
            yield _uncertain(name, shares[name], decision)


def _uncertain(name: str, probability: float, decision: Decision) -> Reason:
    absent, present = map(share_text, decision.limits_of(name))
    share = share_text(probability)
    if name in decision.critical:
        text = f"{name} cannot be excluded: its probability {share} reaches {absent}"
        return Reason("not-excluded", text)
    text = f"the probability {share} of {name} lies between {absent} and {present}"
    return Reason("unsure", text)
