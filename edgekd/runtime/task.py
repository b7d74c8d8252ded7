"""What the device has to know of a task: from outputs to a decision, without PyTorch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekd.extensions.tasks import load_layer
from edgekd.runtime.reason import Reason

__all__ = ["DeviceTask", "Judgement", "Verdict", "device_task"]

Verdict = Literal["answer", "refer", "retake"]
"""What the device does: give its answer, send the patient on, or ask for another photo."""


@dataclass(frozen=True)
class Judgement:
    """What the network's output for one image comes to.

    Attributes:
        label: The answer as one text, as labels are written in tables.
        verdict: `answer` or `refer`; the photo itself is judged elsewhere.
        reasons: Why it is not an answer.
        probability: Of the answer; None where the task knows none.
        probabilities: Calibrated, by class or finding; empty where the task knows none.
        conformal_set: What cannot be excluded; None where the bundle has no quantile.
        findings: `present`, `absent` or `unsure` by finding, where several may stand together.
        values: Numbers by name, of a task that answers with numbers.
    """

    label: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    conformal_set: tuple[str, ...] | None = None
    findings: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)


class DeviceTask(ABC):
    """The device's layer of a task. Imports NumPy and nothing heavier."""

    @abstractmethod
    def output_shape(self, classes: Sequence[str]) -> tuple[int, ...]:
        """Shape of the deploy graph's float32 output, the batch of one first: [1, K]."""

    @abstractmethod
    def judge(
        self, outputs: NDArray[np.float32], decision: Any, classes: Sequence[str]
    ) -> Judgement:
        """What the raw outputs of one image, without the batch axis, come to.

        Args:
            outputs: Of the network; they may not be finite, which is then a reason to refer.
            decision: The manifest's section, of the type that the task's manifest layer names.
            classes: Names of what the network tells.
        """

    @abstractmethod
    def calibrated(self, outputs: NDArray[np.float32], decision: Any) -> NDArray[Any]:
        """Raw outputs [N, …] as metrics take them once a decision was fitted (z/T of logits)."""

    @abstractmethod
    def agree(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
        """On which images [N] raw outputs [N, …] of two files come to the same answer."""


def device_task(name: str) -> DeviceTask:
    """The device's layer of a task; see `load_layer` for errors."""
    found: DeviceTask = load_layer(name, "device", DeviceTask)
    return found
