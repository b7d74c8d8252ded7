"""The parts of a data set as tables write them: an official split in a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekd.data.text import alike, is_missing
from edgekd.errors import InputError

__all__ = ["PARTS", "TRAIN_ONLY", "UNUSED", "PartNames"]

PARTS = ("train", "validation", "test")
"""The parts of a split."""

UNUSED = "unused"
"""Of images that are left out."""

TRAIN_ONLY = "train_only"
"""Of a row that is trained on where its group is, and is in no other part."""

_USUAL = {
    "train": ("train", "training", "train set", "training set", "tr", "fit"),
    "validation": ("validation", "valid", "val", "dev", "development", "tune", "tuning"),
    "test": ("test", "testing", "test set", "eval", "evaluation", "hold out", "holdout"),
    TRAIN_ONLY: ("train only", "extra"),
}


class PartNames:
    """The words of a column that stand for parts.

    Args:
        names: Words for some of the parts, instead of the usual ones.
    """

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._part_of = {
            alike(word): part for part, words in {**_USUAL, **names}.items() for word in words
        }

    def part_of(self, cell: str) -> str:
        """The part of a row; "" where its cell is blank.

        Raises:
            InputError: The word stands for no part; the message continues "line 3 of x.csv has …".
        """
        if is_missing(cell):
            return ""
        part = self._part_of.get(alike(cell))
        if part is None:
            message = f"the part {cell!r}, which is none of {', '.join(self._part_of)}"
            raise InputError(
                message, "say what it is in `data.split_names`, e.g. {test: [hold-out]}"
            )
        return part
