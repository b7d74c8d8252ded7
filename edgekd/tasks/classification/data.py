"""The data layer of classification: one class name for each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.data.task import DataTask, LabelProblem
from edgekd.data.text import is_blank, marked, near_name
from edgekd.errors import InputError

__all__ = ["Data"]


class Data(DataTask):
    """A label is the name of a class, a target its index, int64 [N]."""

    merges_classes = True
    least_classes = 2

    def label_of(self, values: Mapping[str, str]) -> str:
        """The one column that is marked (1, true or yes); the columns are named as the classes.

        Raises:
            InputError: Another number of columns is marked, or a cell is neither marked nor not.
        """
        chosen = marked(values)
        if len(chosen) != 1:
            message = f"{len(chosen)} of the classes {', '.join(values)} marked, not exactly one"
            raise InputError(message, "correct the line, or choose another task")
        return chosen[0]

    def classes_of(self, labels: Sequence[str], listed: Sequence[str] | None) -> tuple[str, ...]:
        """The listed names, or the sorted labels.

        Raises:
            InputError: A label is not among the listed names.
        """
        occurring = sorted(set(labels))
        for label in occurring if listed is not None else ():
            problem = self.problem_with(label, listed)
            if problem is not None:
                raise InputError(f"there is {problem.phrase}", problem.hint)
        return tuple(listed) if listed else tuple(occurring)

    def targets(self, labels: Sequence[str], classes: Sequence[str]) -> NDArray[Any]:
        """Index of each label's class, int64 [N].

        Raises:
            InputError: A label is not among the classes.
        """
        index = {name: position for position, name in enumerate(classes)}
        for label in labels:
            if label not in index:
                message = f"there is no class {label!r} among {', '.join(classes)}"
                raise InputError(message, "correct the labels or the class list")
        return np.array([index[label] for label in labels], dtype=np.int64)

    def strata(self, labels: Sequence[str], classes: Sequence[str]) -> list[str]:
        """The class of each label."""
        return list(labels)

    def counts(self, targets: NDArray[Any], classes: Sequence[str]) -> tuple[int, ...]:
        """Number of samples of each class, from class indices [N]."""
        return tuple(np.bincount(targets, minlength=len(classes)).tolist())

    def problem_with(self, label: str, listed: Sequence[str] | None) -> LabelProblem | None:
        """The problem of a label that is empty or not among the listed names, else None."""
        if not label:
            return super().problem_with(label, listed)
        if listed is not None and label not in listed:
            phrase = f"the class {label!r}, which is not among those known"
            return LabelProblem(phrase, f"{near_name(label, listed)}they are: {', '.join(listed)}")
        return None

    def notes(self, labels: Sequence[str], listed: Sequence[str] | None) -> list[str]:
        """Warnings of words for `not known` that became classes, where classes are not listed."""
        doubtful = [] if listed else sorted({label for label in labels if is_blank(label)})
        return [
            f"{name!r} is taken for a class; remove its rows if it stands for none"
            for name in doubtful
        ]
