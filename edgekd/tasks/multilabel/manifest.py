"""The manifest layer of findings that may occur together: how logits become present or absent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from edgekd.bundle.task import ManifestTask

if TYPE_CHECKING:
    from edgekd.bundle.manifest import ModelInfo

__all__ = ["PRESENT_FROM", "Decision", "Manifest"]

PRESENT_FROM = 0.5
"""The probability from which a finding without a threshold of its own is present."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """How logits become findings. A field that was not fitted is null and has no effect.

    A finding whose probability reaches its `present_from` is present, one below its `absent_below`
    is absent; between the two it is unsure, and the decision is `refer`.

    Attributes:
        temperature: Divides the logits before the sigmoid; fitted on this very file.
        present_from: Threshold by finding; `PRESENT_FROM` for a finding without one.
        absent_below: Threshold by finding, at most its `present_from`, which is the default.
        critical: Findings that must not be missed: the sensitivity of `threshold_sensitivity`
            counts images of these that are not called absent.
        threshold_sensitivity: Sensitivity that `absent_below` of the critical findings was fitted
            to reach.
        refer_coverage: Share of the fitting images without an unsure finding.
        energy_threshold: Inputs with a higher energy are out of distribution; see
            `edgekd.tasks.multilabel.decision.joint_energy`.
        energy_kept: Share of the fitting images that `energy_threshold` was fitted to keep.
        fitted_on: The images of the fit: part, number, hash.
    """

    temperature: float = 1.0
    present_from: dict[str, float] | None = None
    absent_below: dict[str, float] | None = None
    critical: tuple[str, ...] = ()
    threshold_sensitivity: float | None = None
    refer_coverage: float | None = None
    energy_threshold: float | None = None
    energy_kept: float | None = None
    fitted_on: dict[str, Any] = {}

    def limits_of(self, finding: str) -> tuple[float, float]:
        """`absent_below` and `present_from` of a finding."""
        present = (self.present_from or {}).get(finding, PRESENT_FROM)
        return (self.absent_below or {}).get(finding, present), present


class Manifest(ManifestTask):
    """The manifest layer of findings that may occur together."""

    Decision = Decision

    def check(self, model: ModelInfo, decision: Any) -> str:
        """See `ManifestTask.check`."""
        return "; ".join(_contradictions(decision, set(model.classes)))


def _contradictions(decision: Decision, findings: set[str]) -> Iterator[str]:
    if not 1e-3 <= decision.temperature < 1e4:
        yield "temperature must lie between 0.001 and 10000"
    thresholds = {**(decision.present_from or {}), **(decision.absent_below or {})}
    strange = next((name for name in (*thresholds, *decision.critical) if name not in findings), "")
    if strange:
        yield f"{strange[:40]!r} of the decision is no finding of the model"
    for name in thresholds:
        absent, present = decision.limits_of(name)
        if not 0 <= absent <= present <= 1:
            yield (
                f"the thresholds of {name[:40]!r} must be ordered 0 <= absent_below <= "
                "present_from <= 1"
            )
            break  # a manifest may have 100,000 thresholds
    if decision.energy_threshold is not None and not math.isfinite(decision.energy_threshold):
        yield "energy_threshold must be finite"
