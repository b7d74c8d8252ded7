"""A prediction in one line, for people at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekd.streams import printable

if TYPE_CHECKING:
    from edgekd.runtime import Prediction

__all__ = ["line_of"]


def line_of(name: str, prediction: Prediction) -> str:
    """The decision on what is called `name`.

    The label stands there only where it is an answer, and the classes that cannot be excluded
    only where the photo is of use.
    """
    parts = [f"{name}: {prediction.decision}"]
    if prediction.decision == "answer":
        parts.append(_answer(prediction))
    parts += [f"{reason.code}: {reason.text}" for reason in prediction.reasons]
    if prediction.conformal_set is not None and prediction.decision != "retake":
        parts.append(f"not excluded: {', '.join(prediction.conformal_set)}")
    return printable(" | ".join(parts))


def _answer(prediction: Prediction) -> str:
    rest = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[1:3]
    others = ", ".join(f"{name} {value:.2f}" for name, value in rest)
    first = f"{prediction.label} {prediction.probability:.2f}"
    return f"{first} (then {others})" if others else first
