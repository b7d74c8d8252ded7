"""The table of an external validation: images, labels in the model's words, subgroups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.subjects.data import BenchData
from edgekd.data.dataset import Dataset, Sample
from edgekd.data.groups import grouped
from edgekd.data.image_files import ImageFiles, locate_images
from edgekd.data.table import Row, read_table
from edgekd.data.task import DataTask, data_task
from edgekd.data.text import clean
from edgekd.errors import InputError
from edgekd.evaluation.labels import LabelMap, UnknownLabels
from edgekd.evaluation.subgroups import Attribute, AttributeRequest, attribute_of

__all__ = ["TableRequest", "ValidationData", "dataset_of_table", "read_validation_table"]

_HINT = "correct the line, or give the folder with --image-root"


@dataclass(frozen=True)
class TableRequest:
    """How a table is to be read.

    Attributes:
        file: The table.
        root: Folder of the images; None takes that of the table.
        image_column: Column of image paths.
        label_columns: Column of the labels; or several, where the task has one for each finding.
        group_column: Column of the lesion or patient; None where every image stands alone.
        labels: Other names of the classes, and labels to leave out.
        attributes: Columns to divide the images by.
    """

    file: Path
    root: Path | None = None
    image_column: str = "image"
    label_columns: Sequence[str] = ("label",)
    group_column: str | None = None
    labels: LabelMap = field(default_factory=LabelMap)
    attributes: Sequence[AttributeRequest] = ()


@dataclass(frozen=True)
class ValidationData:
    """Labelled images with their subgroups.

    Attributes:
        bench: The images.
        attributes: The subgroup of each image, by each column that was requested.
        written: The label of each image as the table has it.
        dropped: Number of images left out, by their label.
    """

    bench: BenchData
    attributes: tuple[Attribute, ...]
    written: tuple[str, ...]
    dropped: Mapping[str, int]

    @cached_property
    def shown(self) -> NDArray[np.bool_]:
        """Which image shows which class, [N, K]."""
        bench = self.bench
        return data_task(bench.task).shows(bench.targets, bench.classes)

    @property
    def absent(self) -> list[str]:
        """Classes of the model that no image shows."""
        occurs = np.asarray(self.shown.any(axis=0))
        return [name for index, name in enumerate(self.bench.classes) if not occurs[index]]

    @property
    def renamed(self) -> dict[str, tuple[str, int]]:
        """Class and number of images of each label that was written in another way."""
        pairs = Counter(zip(self.written, self.bench.labels, strict=True))
        return {text: (label, n) for (text, label), n in pairs.items() if clean(text) != label}


def read_validation_table(
    request: TableRequest, classes: tuple[str, ...], *, task: str, ordered: bool = False
) -> ValidationData:
    """The images of a table, labelled in the model's class order.

    Args:
        request: How the table is to be read.
        classes: The model's classes; the table may lack some of them.
        task: The model's task, which says what a label is.
        ordered: The classes are grades, each one worse than the one before.

    Raises:
        InputError: The table or a column is missing, labels cannot be read or name classes that
            the model does not have, no image is left, or an image is listed twice.
        ImageError: Images are missing.
    """
    rows, written, labels, dropped = _labelled(request, classes, data_task(task))
    root = request.root or request.file.parent
    named = [(row.line, row[clean(request.image_column)]) for row in rows]
    images = locate_images(request.file, named, ImageFiles(root), _HINT)
    pairs = [(root / image, label) for image, label in zip(images, labels, strict=True)]
    groups = _groups(request.group_column, rows, images) if request.group_column else None
    bench = BenchData(request.file.stem, "csv", classes, pairs, ordered, groups, task)
    attributes = tuple(
        attribute_of(each, [row[clean(each.column)] for row in rows]) for each in request.attributes
    )
    return ValidationData(bench, attributes, tuple(written), dropped)


def dataset_of_table(data: ValidationData, root: Path) -> Dataset:
    """The images of a table as a data set, for what is fitted to them.

    Args:
        data: The images.
        root: The folder that their paths begin with.
    """
    bench = data.bench
    groups = bench.groups or [""] * len(bench.images)
    samples = tuple(
        Sample(_below(path, root).as_posix(), label, group)
        for (path, label), group in zip(bench.images, groups, strict=True)
    )
    return grouped(
        Dataset(bench.name, root, bench.classes, samples, ordered=bench.ordered, task=bench.task)
    )


def _below(path: Path, root: Path) -> Path:
    """The path from the root on; a table may also name places elsewhere."""
    return path.relative_to(root) if path.is_relative_to(root) else path.absolute()


def _labelled(
    request: TableRequest, classes: tuple[str, ...], task: DataTask
) -> tuple[list[Row], list[str], list[str], dict[str, int]]:
    """Rows that are not left out, their labels as written and in the model's words; the others."""
    unknown = UnknownLabels(task, classes)
    rows, written, labels, dropped = [], [], [], Counter[str]()
    for row in _rows(request):
        text = _text(request, row, task)
        if request.labels.drops(text):
            dropped[text] += 1
            continue
        label = request.labels.of(text)
        if not unknown.holds(text, label, row.line):
            rows.append(row)
            written.append(text)
            labels.append(task.canonical(label, classes))
    unknown.refuse(request.file)
    if not rows:
        message = f"no image of {request.file} is left: all have a label that --drop names"
        raise InputError(message, "leave out fewer labels")
    return rows, written, labels, dict(dropped)


def _rows(request: TableRequest) -> list[Row]:
    groups = [request.group_column] if request.group_column else []
    by = [each.column for each in request.attributes]
    return read_table(request.file, (request.image_column, *request.label_columns, *groups, *by))


def _text(request: TableRequest, row: Row, task: DataTask) -> str:
    """The label of a row as one text, before it is renamed."""
    columns = [clean(name) for name in request.label_columns]
    if len(columns) == 1:
        return row[columns[0]]
    try:
        return task.label_of({name: row[name] for name in columns})
    except InputError as error:
        image = row[clean(request.image_column)]
        message = f"line {row.line} of {request.file} has {error.message}, for {image}"
        raise InputError(message, error.hint) from error


def _groups(column: str, rows: Sequence[Row], images: Sequence[str]) -> list[str]:
    """Lesion or patient of each image, by the same rules as in training."""
    samples = (
        Sample(image, "", row.written[clean(column)])
        for row, image in zip(rows, images, strict=True)
    )
    dataset = grouped(Dataset("", Path(), (), tuple(samples)))
    return [sample.group for sample in dataset.samples]
