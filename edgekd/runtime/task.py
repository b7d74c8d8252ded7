"""The device layer of a task: from outputs to a decision, without PyTorch."""

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
"""Give the answer, refer the patient, or ask for another photo."""


@dataclass(frozen=True)
class Judgement:
    """The decision on the network's output for one image.

    Attributes:
        label: The answer as one text, written as labels are in tables.
        verdict: `answer` or `refer`; the quality of the photo is judged elsewhere.
        reasons: Why the verdict is not `answer`.
        probability: Calibrated probability of the answer; None where the task has none.
        probabilities: Calibrated probabilities by class or finding; empty where there are none.
        conformal_set: Classes that cannot be excluded; None where the bundle has no quantile.
        findings: `present`, `absent` or `unsure` by finding, of a task whose findings may occur
            together; else empty.
        values: Numbers by name, of a task that predicts numbers; else empty.
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
    """The device layer of a task. It imports nothing heavier than NumPy."""

    @abstractmethod
    def output_shape(self, classes: Sequence[str]) -> tuple[int, ...]:
        """Shape of the deploy graph's float32 output, the batch of one first: [1, K]."""

    @abstractmethod
    def judge(
        self, outputs: NDArray[np.float32], decision: Any, classes: Sequence[str]
    ) -> Judgement:
        """The decision on the raw outputs of one image, without the batch axis.

        Args:
            outputs: Outputs of the network. Values that are not finite are a reason to refer.
            decision: The section `decision` of the manifest: an instance of
                `edgekd.bundle.task.ManifestTask.Decision`.
            classes: Names of the classes, findings or values that the network predicts.
        """

    @abstractmethod
    def calibrated(self, outputs: NDArray[np.float32], decision: Any) -> NDArray[Any]:
        """Raw outputs [N, …] after calibration, as metrics take them: logits over temperature."""

    @abstractmethod
    def agree(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Images [N] on which the raw outputs [N, …] of two files give the same answer."""


def device_task(name: str) -> DeviceTask:
    """The device layer of a task; see `load_layer` for errors."""
    layer: DeviceTask = load_layer(name, "device", DeviceTask)
    return layer
