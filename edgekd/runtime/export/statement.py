"""What a report may state of a prediction.

A record outlives the screen: what the runtime does not show, no record holds. The answer and its
probabilities stand there only where the decision is `answer`, and the classes that cannot be
excluded only where the photo is good enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edgekd.runtime.export.codes import DECISIONS
from edgekd.runtime.export.identity import DeviceIdentity
from edgekd.runtime.prediction import Prediction
from edgekd.runtime.reason import Reason, share_text
from edgekd.runtime.task import Verdict

__all__ = ["Statement", "statement_of", "summary_of"]


@dataclass(frozen=True)
class Statement:
    """The content of a report.

    Attributes:
        decision: `answer`, `refer` or `retake`.
        reasons: Why it is not an answer.
        answer: The class; None without an answer, or where findings or values are the answer.
        probabilities: Of classes or findings; empty without an answer.
        findings: State by finding; empty without an answer.
        values: Numbers by name; empty without an answer.
        not_excluded: Classes that cannot be excluded; empty for a photo to be taken again.
    """

    decision: Verdict
    reasons: tuple[Reason, ...]
    answer: str | None
    probabilities: Mapping[str, float]
    findings: Mapping[str, str]
    values: Mapping[str, float]
    not_excluded: tuple[str, ...]


def statement_of(prediction: Prediction) -> Statement:
    """What a report states of the prediction."""
    answered = prediction.decision == "answer"
    by_name = bool(prediction.findings or prediction.values)
    return Statement(
        decision=prediction.decision,
        reasons=prediction.reasons,
        answer=prediction.label if answered and not by_name else None,
        probabilities=_finite(prediction.probabilities) if answered else {},
        findings=prediction.findings if answered else {},
        values=_finite(prediction.values) if answered else {},
        not_excluded=() if prediction.decision == "retake" else prediction.conformal_set or (),
    )


def summary_of(statement: Statement, device: DeviceIdentity) -> str:
    """The report in sentences, for people."""
    parts = [f"{DECISIONS[statement.decision]}{_answers(statement)}."]
    parts += [f"{reason.text.rstrip('.')}." for reason in statement.reasons]
    if statement.not_excluded:
        parts.append(f"Not excluded: {', '.join(statement.not_excluded)}.")
    parts += [f"Warning: {warning}." for warning in device.warnings]
    return " ".join([*parts, device.intended_use]).strip()


def _answers(statement: Statement) -> str:
    if statement.answer is not None:
        share = statement.probabilities.get(statement.answer)
        chance = "" if share is None else f", probability {share_text(share)}"
        return f": {statement.answer}{chance}"
    states = [f"{name} {state}" for name, state in statement.findings.items()]
    values = [f"{name} {value:.4g}" for name, value in statement.values.items()]
    return f": {', '.join(states + values)}" if states or values else ""


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in numbers.items() if math.isfinite(value)}
