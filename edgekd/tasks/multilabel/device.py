"""The device layer of findings that may occur together: from logits [K] to present or absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.task import DeviceTask, Judgement
from edgekd.tasks.multilabel import decision as arithmetic
from edgekd.tasks.multilabel.manifest import Decision

__all__ = ["Device"]


class Device(DeviceTask):
    """The device layer of findings that may occur together."""

    def output_shape(self, classes: Sequence[str]) -> tuple[int, ...]:
        """One logit for each finding: [1, K]."""
        return (1, len(classes))

    def judge(
        self, outputs: NDArray[np.float32], decision: Decision, classes: Sequence[str]
    ) -> Judgement:
        """See `DeviceTask.judge` and `edgekd.tasks.multilabel.decision`."""
        return arithmetic.judge_findings(outputs, decision, classes)

    def calibrated(self, outputs: NDArray[np.float32], decision: Decision) -> NDArray[Any]:
        """Logits over the temperature, [N, K]."""
        return np.asarray(outputs / decision.temperature)

    def agree(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Images whose findings all lie on the same side of p = 0.5, logit 0, in both outputs.

        An output that is not finite agrees with none.
        """
        finite = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
        return np.asarray(finite & ((first >= 0) == (second >= 0)).all(axis=1))
