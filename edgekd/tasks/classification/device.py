"""The device layer of classification: from logits [K] to one class, or a reason to refer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.task import DeviceTask, Judgement
from edgekd.tasks.classification import decision as arithmetic
from edgekd.tasks.classification.manifest import Decision

__all__ = ["Device"]


class Device(DeviceTask):
    """The device layer of classification."""

    def output_shape(self, classes: Sequence[str]) -> tuple[int, ...]:
        """One logit for each class: [1, K]."""
        return (1, len(classes))

    def judge(
        self, outputs: NDArray[np.float32], decision: Decision, classes: Sequence[str]
    ) -> Judgement:
        """See `DeviceTask.judge` and `edgekd.tasks.classification.decision`."""
        return arithmetic.judge(outputs, decision, classes)

    def calibrated(self, outputs: NDArray[np.float32], decision: Decision) -> NDArray[Any]:
        """Logits over the temperature, [N, K]."""
        return np.asarray(outputs / decision.temperature)

    def agree(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Images with the same top class; the first class on a tie."""
        return np.asarray(first.argmax(axis=1) == second.argmax(axis=1))
