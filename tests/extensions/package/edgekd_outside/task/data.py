"""The data layer: a label is a number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.data.task import DataTask, LabelProblem
from edgekd.errors import InputError


class Data(DataTask):
    """A label is a number as text, a target float32 [N, 1]."""

    def label_of(self, values: Mapping[str, str]) -> str:
        """The only column.

        Raises:
            InputError: There are several.
        """
        if len(values) != 1:
            raise InputError(f"{len(values)} label columns", "give one column of numbers")
        return next(iter(values.values()))

    def classes_of(self, labels: Sequence[str], given: Sequence[str] | None) -> tuple[str, ...]:
        """The name of the number.

        Raises:
            InputError: Several names are given.
        """
        names = tuple(given or ("value",))
        if len(names) != 1:
            raise InputError(f"{len(names)} names for one number", "give one in `data.classes`")
        return names

    def targets(self, labels: Sequence[str], classes: Sequence[str]) -> NDArray[Any]:
        """The numbers, float32 [N, 1]."""
        return np.array([[float(label)] for label in labels], np.float32).reshape(-1, 1)

    def strata(self, labels: Sequence[str], classes: Sequence[str]) -> list[str]:
        """The third that a number belongs to."""
        numbers = np.array([float(label) for label in labels])
        cuts = np.quantile(numbers, [1 / 3, 2 / 3]) if len(numbers) else [0.0, 0.0]
        return [("low", "middle", "high")[int(np.searchsorted(cuts, one))] for one in numbers]

    def counts(self, targets: NDArray[Any], classes: Sequence[str]) -> tuple[int, ...]:
        """Every image has the number."""
        return (len(targets),)

    def canonical(self, label: str, classes: Sequence[str]) -> str:
        """Six digits."""
        return f"{float(label):.6g}"

    def problem_with(self, label: str, given: Sequence[str] | None) -> LabelProblem | None:
        """Whether the label is a finite number."""
        try:
            finite = math.isfinite(float(label))
        except ValueError:
            finite = False
        if finite:
            return None
        return LabelProblem(f"{label!r}, which is no number", "write a number, such as 0.25")
