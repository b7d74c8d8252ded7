"""The prediction for one photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekd.runtime.capture import CaptureQuality
from edgekd.runtime.reason import Reason
from edgekd.runtime.task import Verdict

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """The prediction for one photo.

    Attributes:
        label: The answer as one text, such as the class with the highest probability or the
            findings that are present, as `a;b`; to be shown only where `decision` is `answer`.
        probability: Calibrated probability of the label; None where the task has none.
        probabilities: Calibrated probability of every class or finding, in the model's order;
            empty where the task has none.
        decision: `answer`, `refer` (refer the patient) or `retake` (take another photo).
        reasons: Why it is not an answer; empty for an answer. Reasons about the photo come first.
        conformal_set: Classes that cannot be excluded, in the model's order: those within the
            bundle's conformal quantile, the label, and each class that reaches its operating
            threshold. None where the bundle has no quantile.
        quality: Measures of the photo; None where they are switched off or the bundle has no
            limits.
        logits: The raw output of the network, flattened; logits in the model's order.
        timings_ms: Milliseconds of `preprocess`, `quality` and `model`.
        findings: `present`, `absent` or `unsure` by finding, of a task whose findings may occur
            together; else empty.
        values: Numbers by name, of a task that predicts numbers; else empty.
    """

    label: str
    probability: float | None
    probabilities: Mapping[str, float]
    decision: Verdict
    reasons: tuple[Reason, ...]
    conformal_set: tuple[str, ...] | None
    quality: CaptureQuality | None
    logits: tuple[float, ...]
    timings_ms: Mapping[str, float]
    findings: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)
