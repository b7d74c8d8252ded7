"""The metrics layer of a task."""

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
    """Outputs compared with those of a reference on the same images, paired.

    Attributes:
        deltas: Outputs minus reference by metric: a field of `Metrics` or a key of its `measures`.
        agreement: Share of images on which both give the same answer; None without images.
        flips: Number of images on which the answers differ.
    """

    deltas: dict[str, Estimate]
    agreement: float | None
    flips: int


class MetricsTask(ABC):
    """The metrics layer of a task."""

    selection_metric: str
    """Name of the validation metric that selects the best epoch; higher is better. It is a field
    of `Metrics` or a key of its `measures`."""

    @abstractmethod
    def selection(self, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
        """The selection metric alone, without an interval."""

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
            outputs: Outputs of the network [N, …], calibrated if a decision was fitted.
            targets: Targets [N, …].
            classes: Names of the classes, findings or values that the network predicts.
            ordered: Whether the classes are grades.
            groups: The lesion or patient of each image, which intervals take as independent.

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
        """Outputs compared with those of a reference, with 95 % intervals; see `evaluate`."""


def metrics_task(name: str) -> MetricsTask:
    """The metrics layer of a task; see `load_layer` for errors."""
    layer: MetricsTask = load_layer(name, "metrics", MetricsTask)
    return layer
