"""The manifest layer: the range of numbers that was learnt."""

from __future__ import annotations

from typing import Any

import msgspec

from edgekd.bundle.task import ManifestTask


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers outside of the learnt range are referred.

    Attributes:
        lowest: Smallest number of the fitting images.
        highest: Largest one.
        fitted_on: The images of the fit.
    """

    lowest: float
    highest: float
    fitted_on: dict[str, Any] = {}


class Manifest(ManifestTask):
    """The manifest layer."""

    Decision = Decision

    def check(self, model: Any, decision: Any) -> str:
        """Whether the range is one."""
        return "" if decision.lowest <= decision.highest else "lowest must not be above highest"
