"""Rows of a table of labelled images, checked: for training and for evaluation alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.data.image_files import ImageFiles, locate_images
from edgekd.data.table import Row, read_table
from edgekd.data.task import DataTask, LabelProblem, data_task
from edgekd.data.text import clean, is_missing
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK

__all__ = ["LabelledRow", "labelled_rows"]


@dataclass(frozen=True)
class LabelledRow:
    """One image of a table: its path below the root, its label as text, and its whole row."""

    image: str
    label: str
    row: Row


def labelled_rows(
    file: Path,
    root: Path,
    *,
    image_column: str,
    label_column: str | Sequence[str],
    columns: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    folders: Sequence[str] = (".", "images"),
    hint: str = "correct the line, or give the folder of the images",
    task: str = DEFAULT_TASK,
) -> list[LabelledRow]:
    """The table's images and labels, in its order.

    Args:
        file: The table; see `read_table`.
        root: Folder of the images.
        image_column: Paths relative to `root`; the suffix may be left out.
        label_column: The column of the labels; or several, which the task makes one label of.
        columns: Further columns that the table must have.
        classes: The classes that may occur; by default any.
        folders: Folders below `root` that paths may leave out.
        hint: What to do where an image is missing.
        task: Name of the task, which says what a label is.

    Raises:
        InputError: The table or a column is missing; an image is named twice; a label is missing,
            is no label of the task, or none of `classes`.
        ImageError: Images are missing: the first and how many more.
    """
    single = isinstance(label_column, str)
    labelled_by = [label_column] if isinstance(label_column, str) else list(label_column)
    rows = read_table(file, (image_column, *labelled_by, *columns))
    layer, names = data_task(task), [clean(name) for name in labelled_by]
    named = [(row.line, row[clean(image_column)]) for row in rows]
    labels = []
    for row, (_, image) in zip(rows, named, strict=True):
        try:
            label = row[names[0]] if single else layer.label_of({name: row[name] for name in names})
            _check_label(label, classes, layer)
        except InputError as error:
            message = f"line {row.line} of {file} has {error.message}, for {image}"
            raise InputError(message, error.hint) from error
        labels.append(label)
    images = locate_images(file, named, ImageFiles(root, folders), hint)
    return [LabelledRow(*each) for each in zip(images, labels, rows, strict=True)]


def _check_label(label: str, classes: Sequence[str] | None, task: DataTask) -> None:
    """Refuse a text that is no label; the message continues "line 3 of labels.csv has …"."""
    problem = task.problem_with(label, classes)
    if problem is None and label and classes is None and is_missing(label):
        phrase = f"the label {label!r}, which stands for a missing value"
        hint = "remove the row; if it is a class, name it in `data.classes`"
        problem = LabelProblem(phrase, hint)
    if problem is not None:
        raise InputError(problem.phrase, problem.hint)
