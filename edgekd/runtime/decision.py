"""From logits to a decision, by what the manifest says: pure arithmetic, deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import Decision

__all__ = ["Verdict", "calibrated", "decide"]

Verdict = Literal["answer", "refer", "retake"]
"""What the device does: give its label, send the patient on, or ask for another photo."""


def calibrated(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Class probabilities [..., K] of logits [..., K] after temperature scaling.

    Where one logit is not finite, all probabilities are NaN: nothing of that output is believed.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    finite = np.isfinite(logits).all(axis=-1, keepdims=True)
    scaled = np.where(finite, logits.astype(np.float64), np.nan) / temperature
    exponent = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True))


def decide(
    probabilities: NDArray[np.float64], decision: Decision, classes: Sequence[str]
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict for one image, with the reasons where it is not an answer.

    It is `refer` where the output is not finite, where the top probability is below the refer
    band, and where a class that is not the top one reaches its operating threshold.

    Args:
        probabilities: [K], of `calibrated`.
        decision: What the manifest says.
        classes: The K class names.

    Returns:
        The verdict and one sentence for each rule that refers: the band first, then the
        thresholds in the order of the classes.
    """
    if not np.isfinite(probabilities).all():
        return "refer", ("the network's output is not finite",)
    reasons = (*_unsure(probabilities, decision), *_not_excluded(probabilities, decision, classes))
    return ("refer", reasons) if reasons else ("answer", ())


def _unsure(probabilities: NDArray[np.float64], decision: Decision) -> list[str]:
    top, least = float(probabilities.max()), decision.refer_below
    if least is None or top >= least:
        return []
    return [f"the top probability {top:.2f} is below {least:.2f}"]


def _not_excluded(
    probabilities: NDArray[np.float64], decision: Decision, classes: Sequence[str]
) -> list[str]:
    thresholds = decision.thresholds or {}
    top = int(probabilities.argmax())
    return [
        f"{name} cannot be excluded: its probability {_said(share)} reaches "
        f"{_said(thresholds[name])}"
        for index, (name, share) in enumerate(zip(classes, probabilities.tolist(), strict=True))
        if index != top and name in thresholds and share >= thresholds[name]
    ]


def _said(share: float) -> str:
    """Two decimals, or two digits where those would say 0.00: thresholds may be that low."""
    return f"{share:.2f}" if share >= 0.1 else f"{share:.2g}"
