"""The report layer of findings that may occur together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.per_class import PerClassReport
from edgekd.tasks.multilabel.manifest import Decision

__all__ = ["Report"]

_PRESENT = 0.5


class Report(PerClassReport):
    """The report layer of findings; an answer is the set of findings with p ≥ 0.5."""

    changed_answer = "Images whose set of findings is not the float student's"
    member_title = "Sensitivity of each finding"

    def scores(self, outputs: NDArray[Any], classes: Sequence[str]) -> dict[str, float]:
        """Probability of each finding, from calibrated logits [K]."""
        logits = np.asarray(outputs, np.float64)
        probabilities = 0.5 * (1 + np.tanh(logits / 2))  # the sigmoid, without overflow
        return {n: round(p, 6) for n, p in zip(classes, probabilities.tolist(), strict=True)}

    def answer(self, scores: Mapping[str, float]) -> frozenset[str]:
        """The findings with a probability of 0.5 or more."""
        return frozenset(name for name, score in scores.items() if score >= _PRESENT)

    def label_names(self, label: str) -> frozenset[str]:
        """The findings of a label like `a;b`."""
        return frozenset(label.split(";")) - {"", "none"}

    def thresholds(self, decision: Decision, name: str) -> dict[str, float]:
        """The thresholds from which the finding cannot be excluded, and is present."""
        absent, present = decision.limits_of(name)
        return {"present": present} | ({"cannot be excluded": absent} if absent < present else {})
