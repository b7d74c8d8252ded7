"""Rows of a table of labelled images, checked: for training and for evaluation alike."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.data.image_files import ImageFiles, found_images
from edgekd.data.table import Row, read_table
from edgekd.data.text import alike, clean, is_missing
from edgekd.errors import InputError

__all__ = ["LabelledRow", "labelled_rows", "near_class"]


@dataclass(frozen=True)
class LabelledRow:
    """One image of a table: its path below the root, its label, and its whole row."""

    image: str
    label: str
    row: Row


def labelled_rows(
    file: Path,
    root: Path,
    *,
    image_column: str,
    label_column: str,
    columns: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    folders: Sequence[str] = (".", "images"),
    hint: str = "correct the line, or give the folder of the images",
) -> list[LabelledRow]:
    """The table's images and labels, in its order.

    Args:
        file: The table; see `read_table`.
        root: Folder of the images.
        image_column: Paths relative to `root`; the suffix may be left out.
        label_column: Class names.
        columns: Further columns that have to be there.
        classes: The classes that may occur; by default any.
        folders: Those below `root` that paths may leave out.
        hint: What to do where an image is missing.

    Raises:
        InputError: The table or a column is missing; an image is named twice; a label is missing,
            or none of `classes`.
        ImageError: Images are missing: the first and how many more.
    """
    rows = read_table(file, (image_column, label_column, *columns))
    image_column, label_column = clean(image_column), clean(label_column)
    for row in rows:
        _check_label(row[label_column], row.line, file, classes)
    named = [(row.line, row[image_column]) for row in rows]
    images = found_images(file, named, ImageFiles(root, folders), hint)
    return [
        LabelledRow(image, row[label_column], row) for image, row in zip(images, rows, strict=True)
    ]


def _check_label(label: str, line: int, file: Path, classes: Sequence[str] | None) -> None:
    if not label:
        raise InputError(f"line {line} of {file} has no label", "label it, or remove the row")
    if classes is not None and label not in classes:
        message = f"line {line} of {file} has the class {label!r}, which is not among those known"
        raise InputError(message, f"{near_class(label, classes)}they are: {', '.join(classes)}")
    if classes is None and is_missing(label):
        message = f"line {line} of {file} has the label {label!r}, which stands for a missing value"
        raise InputError(message, "remove the row; if it is a class, name it in `data.classes`")


def near_class(label: str, classes: Sequence[str]) -> str:
    """A question that names the class which a wrong label may have meant; may be empty."""
    same = [name for name in classes if alike(name) == alike(label)]
    near = same or difflib.get_close_matches(label, classes, n=1)
    return f"did you mean {near[0]!r}? " if near else ""
