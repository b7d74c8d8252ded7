"""What a task's outputs are worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec
from numpy.typing import ArrayLike, NDArray

from edgekd.extensions.tasks import load_layer
from edgekd.metrics.resampling import Groups
from edgekd.metrics.summary import Estimate, Metrics

__all__ = ["Difference", "MetricsTask", "metrics_task"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs beside a reference's on the same images, paired.

    Attributes:
        deltas: By metric (the keys of `Metrics`, or of its `measures`): outputs minus reference.
        agreement: Share of images on which both come to the same answer; None without images.
        flips: Number of the others.
    """

    deltas: dict[str, Estimate]
    agreement: float | None
    flips: int


class MetricsTask(ABC):
    """The metrics layer of a task."""

    selection_metric: str
    """Name of the validation metric that chooses the best epoch, as people read it; higher is
    better. It is a key of `Metrics` or of its `measures`."""

    @abstractmethod
    def selection(self, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
        """The selection metric alone, quickly."""

    @abstractmethod
    def evaluate(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        classes: Sequence[str],
        *,
        ordered: bool = False,
        groups: Groups = None,
    ) -> Metrics:
        """Every metric with its 95 % interval.

        Args:
            outputs: Of the network [N, …], calibrated where a decision was fitted.
            targets: [N, …].
            classes: Names of what the network tells.
            ordered: They are grades.
            groups: What the intervals take as independent: the lesion or patient of each image.

        Raises:
            InputError: Shapes do not fit, or an output is not finite.
        """

    @abstractmethod
    def difference(
        self,
        reference: ArrayLike,
        outputs: ArrayLike,
        targets: ArrayLike,
        classes: Sequence[str],
        *,
        ordered: bool = False,
        groups: Groups = None,
    ) -> Difference:
        """The outputs beside a reference's, paired, with 95 % intervals; see `evaluate`."""


def metrics_task(name: str) -> MetricsTask:
    """The metrics layer of a task; see `load_layer` for errors."""
    found: MetricsTask = load_layer(name, "metrics", MetricsTask)
    return found
