"""What reading data has to know of a task: its labels, and what they become."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from edgekd.extensions.tasks import load_layer

__all__ = ["DataTask", "data_task"]


class DataTask(ABC):
    """The data layer of a task.

    In files a label is always one text (a class; findings as `a;b`; a number; the path of a mask),
    so that tables, splits and contact sheets need not know what it means. A target is what the text
    stands for: one row of an array.
    """

    merges_classes: bool = False
    """Whether `data.merge` and `data.subclasses` make sense."""

    @abstractmethod
    def label_of(self, values: Mapping[str, str]) -> str:
        """The label of a table's row that has several label columns, from their cells by column.

        Raises:
            InputError: The task takes one column, or a cell is none of what it can be.
        """

    @abstractmethod
    def classes_of(self, labels: Sequence[str], given: Sequence[str] | None) -> tuple[str, ...]:
        """Names of what the network tells, in the order of its outputs.

        Args:
            labels: Of all samples.
            given: Names that the recipe lists; None: what occurs, sorted.

        Raises:
            InputError: A label is none of `given`, or cannot be read.
        """

    @abstractmethod
    def targets(self, labels: Sequence[str], classes: Sequence[str]) -> NDArray[Any]:
        """The targets [N, …] of labels: int64 [N] of one class each, float32 [N, K] of findings.

        Raises:
            InputError: A label cannot be read.
        """

    @abstractmethod
    def strata(self, labels: Sequence[str], classes: Sequence[str]) -> list[str]:
        """A name for each sample; the parts of a split get each name in the same shares."""

    @abstractmethod
    def counts(self, targets: NDArray[Any], classes: Sequence[str]) -> tuple[int, ...]:
        """Number of samples that show each of `classes`."""


def data_task(name: str) -> DataTask:
    """The data layer of a task; see `load_layer` for errors."""
    found: DataTask = load_layer(name, "data", DataTask)
    return found
