"""A prediction in one line, for people at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekd.streams import printable

if TYPE_CHECKING:
    from edgekd.runtime import Prediction

__all__ = ["answers_of", "line_of"]


def line_of(name: str, prediction: Prediction) -> str:
    """The prediction for the photo called `name`, in one line.

    It contains the answer only where the decision is `answer`, and the classes that cannot be
    excluded only where the photo is good enough.
    """
    parts = [f"{name}: {prediction.decision}"]
    if prediction.decision == "answer":
        parts.append(_answer(prediction))
    parts += [f"{reason.code}: {reason.text}" for reason in prediction.reasons]
    if prediction.conformal_set is not None and prediction.decision != "retake":
        parts.append(f"not excluded: {', '.join(prediction.conformal_set)}")
    return printable(" | ".join(parts))


def answers_of(prediction: Prediction) -> list[str]:
    """The answers, each with its number: the class, the findings present, or the values."""
    if prediction.values:
        return [f"{name} {value:.4g}" for name, value in prediction.values.items()]
    if prediction.findings:
        present = [name for name, state in prediction.findings.items() if state == "present"]
        shares = prediction.probabilities
        return [f"{name} {shares[name]:.2f}" for name in present] or ["no finding"]
    if prediction.probability is None:
        return [prediction.label]
    return [f"{prediction.label} {prediction.probability:.2f}"]


def _answer(prediction: Prediction) -> str:
    answer = ", ".join(answers_of(prediction))
    if prediction.values or prediction.findings:
        return answer
    rest = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[1:3]
    others = ", ".join(f"{name} {value:.2f}" for name, value in rest)
    return f"{answer} (then {others})" if others else answer
