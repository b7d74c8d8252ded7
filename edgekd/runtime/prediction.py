"""What the runtime answers for one photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekd.runtime.decision import Verdict

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo.

    Attributes:
        label: The class with the highest probability.
        probability: Its calibrated probability.
        probabilities: Calibrated probability of every class, in the model's order.
        decision: `answer`, `refer` (send the patient on) or `retake` (the photo is no use).
        reasons: Why it is not an answer, in words; empty for an answer.
        logits: The raw output, in the model's order.
        timings_ms: Milliseconds of `preprocess` and `model`.
    """

    label: str
    probability: float
    probabilities: Mapping[str, float]
    decision: Verdict
    reasons: tuple[str, ...]
    logits: tuple[float, ...]
    timings_ms: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)
