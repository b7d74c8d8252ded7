"""Columns that say more of a row than its image and label: its group, its part, its weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from edgekd.data.part_names import PartNames
from edgekd.data.table import Row
from edgekd.data.text import clean
from edgekd.errors import InputError

__all__ = ["RowColumns"]


@dataclass(frozen=True)
class RowColumns:
    """Names of columns; None where the table has no such column.

    Attributes:
        group_column: Lesion or patient.
        split_column: The official part.
        weight_column: How often a row is drawn, relative to the others.
        split_names: The words of the parts, where they are not the usual ones.
    """

    group_column: str | None = None
    split_column: str | None = None
    weight_column: str | None = None
    split_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The columns that the table must have."""
        columns = (self.group_column, self.split_column, self.weight_column)
        return [name for name in columns if name is not None]

    @cached_property
    def _parts(self) -> PartNames:
        return PartNames(self.split_names)

    def group(self, row: Row) -> str:
        """Lesion or patient as the table writes it; "" without the column."""
        return row.written[clean(self.group_column)] if self.group_column else ""

    def part(self, row: Row, file: Path) -> str:
        """The part; "" where none is given.

        Raises:
            InputError: The cell stands for no part.
        """
        if self.split_column is None:
            return ""
        try:
            return self._parts.part_of(row[clean(self.split_column)])
        except InputError as error:
            message = f"line {row.line} of {file} has {error.message}"
            raise InputError(message, error.hint) from error

    def weight(self, row: Row, file: Path) -> float:
        """The weight; 1 without the column.

        Raises:
            InputError: The cell is no number from 0 up.
        """
        if self.weight_column is None:
            return 1.0
        cell = row[clean(self.weight_column)]
        try:
            weight = float(cell)
        except ValueError:
            weight = math.nan
        if not 0.0 <= weight < math.inf:
            message = f"line {row.line} of {file} has the weight {cell!r}"
            raise InputError(message, "write a number, 0 or more")
        return weight
