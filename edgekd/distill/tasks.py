"""What differs between classification and, later, segmentation or detection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import InputError
from edgekd.metrics import Metrics, metrics_of

__all__ = ["ClassificationTask", "Task", "resolve_task"]


class Task(Protocol):
    """What training must know of a task."""

    name: str
    selection_metric: str
    """Name of the validation metric that chooses the best epoch; higher is better."""

    def outputs(self, classes: tuple[str, ...]) -> int:
        """Number of outputs of the network's head."""

    def evaluate(
        self,
        outputs: NDArray[np.float32],
        targets: NDArray[np.int64],
        classes: tuple[str, ...],
        *,
        ordered: bool = False,
        groups: Sequence[str] | None = None,
    ) -> Metrics:
        """Metrics with intervals of a network's outputs; some are for graded classes alone."""

    def selection(self, outputs: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
        """The selection metric alone, quickly."""


class ClassificationTask:
    """One label for an image; the best epoch has the highest balanced accuracy."""

    name = "classification"
    selection_metric = "balanced_accuracy"

    def outputs(self, classes: tuple[str, ...]) -> int:
        """One logit for each class."""
        return len(classes)

    def evaluate(
        self,
        outputs: NDArray[np.float32],
        targets: NDArray[np.int64],
        classes: tuple[str, ...],
        *,
        ordered: bool = False,
        groups: Sequence[str] | None = None,
    ) -> Metrics:
        """See `edgekd.metrics.metrics_of`."""
        return metrics_of(outputs, targets, classes, ordered=ordered, groups=groups)

    def selection(self, outputs: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
        """Mean recall over the classes that occur."""
        hits = outputs.argmax(axis=1) == targets
        return float(np.mean([hits[targets == label].mean() for label in np.unique(targets)]))


def resolve_task(name: str) -> Task:
    """The task of a recipe.

    Raises:
        InputError: It is unknown.
    """
    if name != ClassificationTask.name:
        raise InputError(f"there is no task {name!r}", "`task` is: classification")
    return ClassificationTask()
