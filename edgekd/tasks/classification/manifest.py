"""The manifest layer of classification: how logits become a decision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from edgekd.bundle.task import ManifestTask

if TYPE_CHECKING:
    from edgekd.bundle.manifest import ModelInfo

__all__ = ["Decision", "Manifest"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """How logits become a decision. A field that was not fitted is null and has no effect.

    Attributes:
        temperature: Divides the logits before the softmax; fitted on this very file.
        thresholds: Operating threshold by class, or null. A class whose probability reaches its
            threshold cannot be excluded; the decision is `refer` where another class is the top
            one.
        threshold_sensitivity: Sensitivity that the thresholds were fitted to reach.
        refer_below: The decision is `refer` where the top probability is below it.
        refer_coverage: Share of the fitting images that stay above `refer_below`.
        energy_threshold: Inputs with a higher energy are out of distribution.
        energy_kept: Share of the fitting images that `energy_threshold` was fitted to keep.
        conformal_quantile: Classes whose conformal score (1 minus the probability) is at most
            this cannot be excluded, nor can the top class or one that reaches its threshold.
        conformal_coverage: Share of images whose true class `conformal_quantile` was fitted not
            to exclude, 1 - α.
        fitted_on: The images of the fit: part, number, hash.
    """

    temperature: float = 1.0
    thresholds: dict[str, float] | None = None
    threshold_sensitivity: float | None = None
    refer_below: float | None = None
    refer_coverage: float | None = None
    energy_threshold: float | None = None
    energy_kept: float | None = None
    conformal_quantile: float | None = None
    conformal_coverage: float | None = None
    fitted_on: dict[str, Any] = {}


class Manifest(ManifestTask):
    """The manifest layer of classification."""

    Decision = Decision

    def check(self, model: ModelInfo, decision: Any) -> str:
        """See `ManifestTask.check`."""
        return "; ".join(_contradictions(decision, model.classes))


def _contradictions(decision: Decision, classes: Sequence[str]) -> Iterator[str]:
    if len(classes) < 2:
        yield "there must be two or more different names of classes"
    if not 1e-3 <= decision.temperature < 1e4:
        yield "temperature must lie between 0.001 and 10000"
    thresholds, known = decision.thresholds or {}, set(classes)  # either may have 100,000 entries
    wrong = [name for name, at in thresholds.items() if name not in known or not 0 <= at <= 1]
    if wrong:
        yield f"the threshold of {wrong[0][:40]!r} must be of a class and lie between 0 and 1"
    for name in ("refer_below", "conformal_quantile"):
        value = getattr(decision, name)
        if value is not None and not 0 <= value <= 1:
            yield f"{name} must lie between 0 and 1"
    if decision.energy_threshold is not None and not math.isfinite(decision.energy_threshold):
        yield "energy_threshold must be finite"
