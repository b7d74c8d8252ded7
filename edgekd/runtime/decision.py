"""From logits to a decision, by what the manifest says: pure arithmetic, deterministic."""

from __future__ import annotations

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
    probabilities: NDArray[np.float64], decision: Decision
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict for class probabilities [K], with the reasons where it is not an answer."""
    if not np.isfinite(probabilities).all():
        return "refer", ("the network's output is not finite",)
    top = float(probabilities.max())
    if decision.refer_below is not None and top < decision.refer_below:
        reason = f"the top probability {top:.2f} is below {decision.refer_below:.2f}"
        return "refer", (reason,)
    return "answer", ()
