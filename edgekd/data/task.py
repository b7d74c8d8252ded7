"""The data layer of a task: its labels in files, and the targets they stand for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.extensions.tasks import load_layer

__all__ = ["DataTask", "LabelProblem", "data_task"]


class LabelProblem(NamedTuple):
    """Why a text is not a label of the task.

    Attributes:
        phrase: Stands between "line 3 of labels.csv has" and ", for 1.png": `the class 'x', which
            is not among …`.
        hint: What to do about it.
    """

    phrase: str
    hint: str


class DataTask(ABC):
    """The data layer of a task.

    In files a label is always one text (a class; findings as `a;b`; a number; the path of a mask),
    so tables, splits and contact sheets do not depend on what it means. A target is what the text
    stands for: one row of an array.
    """

    merges_classes: bool = False
    """Whether `data.merge` and `data.subclasses` are possible."""

    least_classes: int = 0
    """Number of classes that a data set needs at least."""

    @abstractmethod
    def label_of(self, values: Mapping[str, str]) -> str:
        """The label of a table row that has several label columns, from its cells by column.

        Raises:
            InputError: The task takes one column, or a cell has none of the possible values.
        """

    @abstractmethod
    def classes_of(self, labels: Sequence[str], listed: Sequence[str] | None) -> tuple[str, ...]:
        """The class names, in the order of the network's outputs.

        Args:
            labels: Labels of all samples.
            listed: Names that the recipe lists; None takes those that occur, sorted.

        Raises:
            InputError: A label is not among `listed`, or cannot be read.
        """

    @abstractmethod
    def targets(self, labels: Sequence[str], classes: Sequence[str]) -> NDArray[Any]:
        """The targets [N, …] of labels: int64 [N] of one class each, float32 [N, K] of findings.

        Raises:
            InputError: A label cannot be read.
        """

    @abstractmethod
    def strata(self, labels: Sequence[str], classes: Sequence[str]) -> list[str]:
        """The stratum of each sample; each stratum is divided in the same shares by a split."""

    @abstractmethod
    def counts(self, targets: NDArray[Any], classes: Sequence[str]) -> tuple[int, ...]:
        """Number of samples of each class, from their targets [N, …]."""

    def canonical(self, label: str, classes: Sequence[str]) -> str:
        """The spelling in which a label is kept: labels of equal targets become equal texts."""
        return label

    def names_in(self, label: str) -> tuple[str, ...]:
        """The names that a recipe may rename or drop rows by: the label itself, or its parts."""
        return (label,)

    def joined(self, names: Sequence[str]) -> str:
        """The label that has these names, the inverse of `names_in`."""
        return names[0]

    def problem_with(self, label: str, listed: Sequence[str] | None) -> LabelProblem | None:
        """Why `label` is not a label of the task; None where it is one.

        Args:
            label: A cell, or what `label_of` made of several.
            listed: Names that the recipe lists; None where any may occur.
        """
        return None if label else LabelProblem("no label", "label it, or remove the row")

    def notes(self, labels: Sequence[str], listed: Sequence[str] | None) -> list[str]:
        """Sentences on labels that may have been misunderstood, for whoever trains on them."""
        return []

    def shows(self, targets: NDArray[Any], classes: Sequence[str]) -> NDArray[np.bool_]:
        """Which samples show which classes, [N, K], from their targets [N, …]."""
        rows = [self.counts(row[None], classes) for row in targets]
        return np.array(rows, dtype=bool).reshape(len(targets), len(classes))


def data_task(name: str) -> DataTask:
    """The data layer of a task; see `load_layer` for errors."""
    layer: DataTask = load_layer(name, "data", DataTask)
    return layer
