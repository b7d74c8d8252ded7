"""The device layer: answer the number, or refer outside of the learnt range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.reason import Reason
from edgekd.runtime.task import DeviceTask, Judgement
from edgekd_outside.task.manifest import Decision

TOLERANCE = 0.05
"""Two numbers agree where they differ by no more than this."""


class Device(DeviceTask):
    """The device layer."""

    def output_shape(self, classes: Sequence[str]) -> tuple[int, ...]:
        """One number."""
        return (1, 1)

    def judge(
        self, outputs: NDArray[np.float32], decision: Decision, classes: Sequence[str]
    ) -> Judgement:
        """The number, answered within the learnt range."""
        value = float(outputs[0])
        reasons = []
        if not np.isfinite(value):
            reasons.append(Reason("not-finite", "the network's output is not finite"))
        elif not within(outputs, decision)[()]:
            learnt = f"{decision.lowest:.3g} to {decision.highest:.3g}"
            reasons.append(Reason("unfamiliar", f"{value:.3g} is outside of {learnt}"))
        verdict = "refer" if reasons else "answer"
        values = {classes[0]: value} if np.isfinite(value) else {}
        return Judgement(f"{value:.3g}", verdict, tuple(reasons), values=values)

    def calibrated(self, outputs: NDArray[np.float32], decision: Decision) -> NDArray[Any]:
        """The outputs as they are."""
        return np.asarray(outputs)

    def agree(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Images whose numbers differ by the tolerance at most."""
        return np.asarray(np.abs(one - other)[:, 0] <= TOLERANCE)


def within(outputs: NDArray[np.float32], decision: Decision) -> NDArray[np.bool_]:
    """Which numbers [..., 1] are within the learnt range."""
    values = outputs[..., 0]
    low, high = decision.lowest - TOLERANCE, decision.highest + TOLERANCE
    return np.asarray((values >= low) & (values <= high))
