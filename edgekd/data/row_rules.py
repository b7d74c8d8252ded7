"""Rules of a recipe for the rows of a table: which are left out, and how labels are renamed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgekd.data.table import Row
from edgekd.data.task import DataTask
from edgekd.data.text import alike, clean, is_missing, near_name

__all__ = ["RowRules", "whole_numbers"]

_WHOLE = re.compile(r"(-?\d+)(?:\.0*)?")


@dataclass(frozen=True)
class RowRules:
    """Rows to leave out, and labels to rename; spellings that differ as in `alike` are one.

    Attributes:
        label_map: Label as the table writes it → name of the class; others keep their name.
        drop: Labels whose rows are left out; or for each of some columns the values whose rows are
            left out.
    """

    label_map: Mapping[str, str] = field(default_factory=dict)
    drop: Mapping[str, Sequence[str]] | Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that the table must have."""
        return list(self.drop) if isinstance(self.drop, Mapping) else []

    def drops_row(self, row: Row) -> str:
        """The column and the value for which a row is left out; "" where it is not."""
        by_column = self.drop if isinstance(self.drop, Mapping) else {}
        for column, values in by_column.items():
            cell = row[clean(column)]
            if _key(cell) in {_key(value) for value in values}:
                return f"{clean(column)} {cell!r}"
        return ""

    def drops_label(self, label: str, task: DataTask) -> str:
        """The label for which a row is left out; "" where it is not."""
        labels = () if isinstance(self.drop, Mapping) else self.drop
        keys = {_key(value) for value in labels}
        dropped = [name for name in (label, *task.names_in(label)) if _key(name) in keys]
        return repr(dropped[0]) if dropped else ""

    def renamed(self, label: str, task: DataTask) -> str:
        """The label with its names mapped."""
        if not self.label_map:
            return label
        names = {_key(name): clean(new) for name, new in self.label_map.items()}
        return task.joined([names.get(_key(name), name) for name in task.names_in(label)])

    def notes(self, dropped: Sequence[str], labels: Sequence[str], task: DataTask) -> list[str]:
        """Sentences on what was left out, and on names that do not occur.

        Args:
            dropped: Why each row was left out that was.
            labels: The labels before they were renamed.
            task: The data layer of the task.
        """
        notes = []
        if dropped:
            counts = [f"{number} with {why}" for why, number in Counter(dropped).most_common(5)]
            more = ", …" if len(set(dropped)) > 5 else ""
            rows = "1 row is" if len(dropped) == 1 else f"{len(dropped)} rows are"
            notes.append(f"{rows} left out by `data.drop`: {', '.join(counts)}{more}")
        names = list(dict.fromkeys(name for label in labels for name in task.names_in(label)))
        keys = {_key(name) for name in names}
        absent = [name for name in self.label_map if _key(name) not in keys]
        if absent:
            near = near_name(absent[0], names).strip()
            notes.append(
                f"no label is {absent[0]!r}, as in `data.label_map`{f': {near}' * bool(near)}"
            )
        return notes


def whole_numbers(labels: Sequence[str], listed: Sequence[str] | None) -> list[str]:
    """Labels without `.0` where all are whole numbers, which programs write so beside blanks.

    Labels that are names of the recipe's classes as they are written stay.
    """
    matches = [_WHOLE.fullmatch(label) for label in labels]
    if listed is not None and set(labels) <= set(listed):
        return list(labels)
    whole = [match[1] for match in matches if match]
    return whole if len(whole) == len(labels) else list(labels)


def _key(text: str) -> str:
    """Equal for spellings of one value, and for all that stand for a missing one."""
    return "" if is_missing(text) else alike(text)
