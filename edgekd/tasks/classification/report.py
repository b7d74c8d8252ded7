"""The report layer of classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.per_class import PerClassReport
from edgekd.metrics import softmax
from edgekd.tasks.classification.manifest import Decision

__all__ = ["Report"]


class Report(PerClassReport):
    """The report layer of classification; an answer is the most probable class."""

    changed_answer = "Images whose most probable class is not the float student's"

    def scores(self, outputs: NDArray[Any], classes: Sequence[str]) -> dict[str, float]:
        """Probability of each class, from calibrated logits [K]."""
        probabilities = softmax(np.asarray(outputs)[None])[0].tolist()
        return {name: round(p, 6) for name, p in zip(classes, probabilities, strict=True)}

    def answer(self, scores: Mapping[str, float]) -> frozenset[str]:
        """The most probable class."""
        if not scores:
            return frozenset()
        return frozenset({max(scores, key=lambda name: scores[name])})

    def thresholds(self, decision: Decision, name: str) -> dict[str, float]:
        """The threshold from which the class cannot be excluded, if it has one."""
        thresholds = decision.thresholds or {}
        return {"cannot be excluded": thresholds[name]} if name in thresholds else {}

    def refer_below(self, decision: Decision) -> float | None:
        """The refer band of the decision."""
        return decision.refer_below
