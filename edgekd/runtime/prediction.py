"""What the runtime answers for one photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekd.runtime.capture import CaptureQuality
from edgekd.runtime.decision import Verdict
from edgekd.runtime.reason import Reason

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """The answer for one photo.

    Attributes:
        label: The class with the highest probability; to be shown only where `decision` is
            `answer`.
        probability: Its calibrated probability.
        probabilities: Calibrated probability of every class, in the model's order.
        decision: `answer`, `refer` (send the patient on) or `retake` (the photo is no use).
        reasons: Why it is not an answer; empty for an answer. Those of the photo come first.
        conformal_set: Classes that cannot be excluded, in the model's order: those that the
            bundle's coverage needs, the label, and each class that reaches its operating
            threshold. None where the bundle has no quantile for it.
        quality: What was measured of the photo; None where that was not asked for or the bundle
            has no limits.
        logits: The raw output, in the model's order.
        timings_ms: Milliseconds of `preprocess`, `quality` and `model`.
    """

    label: str
    probability: float
    probabilities: Mapping[str, float]
    decision: Verdict
    reasons: tuple[Reason, ...]
    conformal_set: tuple[str, ...] | None
    quality: CaptureQuality | None
    logits: tuple[float, ...]
    timings_ms: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)
