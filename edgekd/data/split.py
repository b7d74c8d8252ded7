"""The split of a data set: which of its samples are in which part, and its file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekd.data.assigned_parts import assigned_parts
from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.drawing import draw_parts, leave_out
from edgekd.data.even_shares import with_even_shares
from edgekd.data.part_names import PARTS
from edgekd.data.table import Row, read_table
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import SplitSection, fingerprint

__all__ = ["PARTS", "Split", "read_split", "split_dataset", "write_split"]

_ATTRIBUTE = "attribute:"
"""Prefix of the columns with attributes in a split's file."""


@dataclass(frozen=True)
class Split:
    """A data set and the part of each of its samples: one of `PARTS`, or `UNUSED`."""

    dataset: Dataset
    parts: tuple[str, ...]

    def indices(self, part: str) -> list[int]:
        """Indices of the samples of one part, in the data set's order."""
        return [index for index, name in enumerate(self.parts) if name == part]

    def counts(self) -> dict[str, int]:
        """Number of images by part."""
        numbers = Counter(self.parts)
        return {part: numbers[part] for part in PARTS}

    def sha256(self) -> str:
        """Hash of all that training depends on: images, labels, parts, and subclasses and weights
        where there are any.
        """
        rows = [
            (sample.image, *_labels(sample), part)
            for sample, part in zip(self.dataset.samples, self.parts, strict=True)
        ]
        if not self.dataset.is_weighted:
            return fingerprint(self.dataset.classes, rows)
        return fingerprint(self.dataset.classes, rows, [one.weight for one in self.dataset.samples])


def split_dataset(dataset: Dataset, section: SplitSection) -> Split:
    """Split a data set by group, see `draw_parts`; parts that its table gives are as they are.

    Then `train_share` leaves training groups of each stratum out, and `even_train_only` weighs what
    is left.

    Raises:
        InputError: Validation and test leave nothing to train on, parts that the table gives share
            a group, or `even_train_only` finds nothing to weigh.
    """
    if any(sample.part for sample in dataset.samples):
        parts, notes = assigned_parts(dataset, section)
    else:
        parts, notes = draw_parts(dataset, range(len(dataset.samples)), section), []
    leave_out(dataset, parts, section)
    noted = replace(dataset, notes=(*dataset.notes, *notes))
    if section.even_train_only:
        noted = with_even_shares(noted, parts)
    return Split(noted, tuple(parts[index] for index in range(len(dataset.samples))))


def _labels(sample: Sample) -> tuple[str, ...]:
    return (sample.label, sample.subclass) if sample.subclass else (sample.label,)


def write_split(split: Split, *, attributes: bool = True) -> str:
    """The split as CSV text: image, label, group, part, and what else samples have.

    That is the subclass, the weight, and each attribute in a column `attribute:NAME`.

    Args:
        split: The split.
        attributes: Whether attributes are written, such as age, sex and body site of each patient.
            The split's hash is not made of them.
    """
    dataset, buffer = split.dataset, io.StringIO()
    more = [
        *(["subclass"] if dataset.subclasses else []),
        *(["weight"] if dataset.is_weighted else []),
    ]
    known = dataset.attributes if attributes else ()
    names = [f"{_ATTRIBUTE}{name}" for name in known]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("image", "label", "group", "part", *more, *names))
    for sample, part in zip(dataset.samples, split.parts, strict=True):
        facts = [getattr(sample, name) for name in more]
        facts += [sample.attributes.get(name, "") for name in known]
        writer.writerow((sample.image, sample.label, sample.group, part, *facts))
    return buffer.getvalue()


def read_split(
    file: Path,
    root: Path,
    *,
    name: str,
    classes: Sequence[str],
    task: str = DEFAULT_TASK,
    images: bool = True,
) -> Split:
    """A split that `write_split` wrote, over the images below `root`.

    Args:
        file: The file.
        root: Folder of the images.
        name: Name of the data set.
        classes: Its classes.
        task: Its task.
        images: Whether the images must be there.

    Raises:
        InputError: The file or the folder of the images is missing.
    """
    rows = read_table(file, ("image", "label", "group", "part"), verbatim=True)
    if images and not (root / rows[0]["image"]).is_file():
        message = f"the images of {name} are not at {root} any more"
        raise InputError(message, "give their folder with --data-root")
    samples = [_sample(row) for row in rows]
    dataset = dataset_of(name, root, samples, classes=classes, task=task)
    return Split(dataset, tuple(row["part"] for row in rows))


def _sample(row: Row) -> Sample:
    attributes = {
        column.removeprefix(_ATTRIBUTE): value
        for column, value in row.items()
        if column.startswith(_ATTRIBUTE)
    }
    return Sample(
        row["image"], row["label"], row["group"], subclass=row.get("subclass", ""),
        attributes=attributes, weight=float(row.get("weight", "1")),
    )  # fmt: skip
