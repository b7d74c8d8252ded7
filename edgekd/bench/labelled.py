"""The labelled images that a measurement runs on: a CSV, or the test part of a run."""

from __future__ import annotations

from pathlib import Path

from edgekd.bench.request import BenchData
from edgekd.data import read_split
from edgekd.data.table import read_table, require_columns, resolve_image
from edgekd.errors import ImageError, InputError
from edgekd.models.card import SPLIT, ModelCard

__all__ = ["data_of_csv", "data_of_run"]


def data_of_csv(
    file: Path,
    classes: tuple[str, ...],
    *,
    ordered: bool = False,
    image_column: str = "image",
    label_column: str = "label",
    group_column: str | None = None,
    root: Path | None = None,
) -> BenchData:
    """The images of a CSV, labelled in the model's class order.

    Args:
        file: The table.
        classes: The model's classes; the table may lack some of them.
        ordered: They are grades, each one worse than the one before.
        image_column: Paths relative to `root`; the suffix may be left out.
        label_column: Class names.
        group_column: Lesion or patient; an image whose cell is blank stands alone. None: all do.
        root: Folder of the images; by default that of the table.

    Raises:
        InputError: The table or a column is missing, or a label is none of the classes.
        ImageError: An image is missing.
    """
    rows = read_table(file)
    named = (group_column,) if group_column else ()
    require_columns(file, rows, (image_column, label_column, *named))
    folder = root or file.parent
    images, groups = [], []
    for number, row in enumerate(rows, start=2):
        label = row[label_column].strip()
        if label not in classes:
            message = (
                f"line {number} of {file} has the class {label!r}, which the model does not know"
            )
            raise InputError(message, f"the model knows: {', '.join(classes)}")
        image = resolve_image(folder, row[image_column].strip())
        if image is None:
            message = (
                f"line {number} of {file} names {row[image_column]!r}, which is not in {folder}"
            )
            raise ImageError(message, "correct the line, or give the folder with --image-root")
        images.append((folder / image, classes.index(label)))
        # A line's number is no lesion's name: a space stands before it.
        groups.append((row[group_column].strip() if group_column else "") or f" {number}")
    return BenchData(file.stem, "csv", classes, images, ordered, groups if group_column else None)


def data_of_run(student: Path, card: ModelCard, root: Path | None = None) -> BenchData:
    """The test part that the student in `student` remembers.

    Raises:
        InputError: The images are gone, or the test part is empty.
    """
    split = read_split(
        student / SPLIT,
        root or Path(card.data.root),
        name=card.data.name,
        classes=card.classes,
    )
    chosen = split.indices("test")
    labels = split.dataset.labels()
    paths = split.dataset.paths()
    images = [(paths[index], labels[index]) for index in chosen]
    groups = [split.dataset.samples[index].group for index in chosen]
    return BenchData(card.data.name, "test", card.classes, images, card.ordered, groups)
