"""Parts that a table gives its rows, and those that are drawn beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from edgekd.data.dataset import Dataset
from edgekd.data.drawing import draw_parts
from edgekd.data.part_names import PARTS, TRAIN_ONLY, UNUSED
from edgekd.errors import InputError
from edgekd.recipe import SplitSection

__all__ = ["AssignedParts", "assigned_parts"]


class AssignedParts(NamedTuple):
    """The part of each sample, and sentences on what was drawn or left out."""

    parts: dict[int, str]
    notes: list[str]


def assigned_parts(dataset: Dataset, section: SplitSection) -> AssignedParts:
    """The parts of a data set whose table gives some.

    A row without a part has that of its group, where another row gives one. Parts that no row names
    are drawn by group: from the rows without a part, or from those to train on where there are
    none. A row for training alone is trained on where its group is; where that is validated or
    tested, the row is unused.

    Raises:
        InputError: A group is in several parts, or folds are demanded of a given test part.
    """
    of_group = _parts_of_groups(dataset)
    _refuse_folds(of_group, section)
    parts = {
        index: of_group.get(sample.group, "")
        for index, sample in enumerate(dataset.samples)
        if sample.part != TRAIN_ONLY
    }
    notes = _draw_absent(dataset, parts, section)
    extra = _training_alone(dataset, parts)
    left_out = list(extra.values()).count(UNUSED)
    if left_out:
        images = "1 image" if left_out == 1 else f"{left_out} images"
        notes.append(f"{images} for training alone left out: their group is in another part")
    return AssignedParts(parts | extra, notes)


def _parts_of_groups(dataset: Dataset) -> dict[str, str]:
    """The part that rows of each group give.

    Raises:
        InputError: They give several: the group would be trained on and tested.
    """
    of_group: dict[str, str] = {}
    torn: dict[str, tuple[str, str]] = {}
    for sample in dataset.samples:
        if sample.part in PARTS:
            first = of_group.setdefault(sample.group, sample.part)
            if first != sample.part:
                torn.setdefault(sample.group, (first, sample.part))
    if torn:
        name, pair = next(iter(torn.items()))
        more = f", and so are {len(torn) - 1} more" if len(torn) > 1 else ""
        message = f"the lesion or patient {name!r} is in {' and '.join(pair)} by the table{more}"
        hint = "correct the column of `data.split_column`; without `data.group_column` the parts "
        raise InputError(message, f"{hint}stay so, and figures of test images are too good")
    return of_group


def _refuse_folds(of_group: Mapping[str, str], section: SplitSection) -> None:
    if section.folds and "test" in of_group.values():
        message = "the table gives the test part, which folds would replace"
        raise InputError(message, "leave out `data.split_column`, or cross-validation")


def _draw_absent(dataset: Dataset, parts: dict[int, str], section: SplitSection) -> list[str]:
    """Draw the parts that no row names, into `parts`; returns a sentence on it."""
    absent = [part for part in ("test", "validation") if part not in parts.values()]
    without = [index for index, part in parts.items() if not part]
    pool = without or [index for index, part in parts.items() if part == "train"]
    drawn = draw_parts(dataset, pool, section, absent)
    parts |= drawn
    named = [part for part in absent if part in drawn.values()]
    if not named:
        return []
    origin = "rows without a part" if without else "rows to train on"
    return [f"{' and '.join(named)} drawn from the {len(pool)} {origin}"]


def _training_alone(dataset: Dataset, parts: Mapping[int, str]) -> dict[int, str]:
    """The part of each row for training alone: it is used if its group is trained on."""
    of_group = {dataset.samples[index].group: part for index, part in parts.items()}
    return {
        index: "train" if of_group.get(sample.group, "train") == "train" else UNUSED
        for index, sample in enumerate(dataset.samples)
        if sample.part == TRAIN_ONLY
    }
