"""`csv`: a table with a column of images, and one or several columns of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.fetching import fetched_file, is_url, local_folder
from edgekd.data.labelled_rows import labelled_rows
from edgekd.data.task import data_task
from edgekd.data.text import clean
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["Config", "load"]


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        file: The CSV file: a path or an address (`s3://…`, `https://…`).
        image_column: Paths of the images, relative to `root`; the suffix may be left out.
        label_column: Labels: class names, or whatever the task reads.
        label_columns: Instead of `label_column`, one column for each class, whose cells are 1 or 0,
            true or false, yes or no.
        group_column: Lesion or patient; without one, and where its cell is blank or says that it is
            not known, an image is a group of its own.
        root: Folder of the images, a path or an address; by default the folder of the file. What
            is at an address is copied once into the cache.
        classes: Class names in the order of the network's outputs; by default `label_columns`, or
            the names that occur, sorted.
        ordered: The classes are grades, from the least to the worst; needs `classes`.
        name: Name for reports; by default the file's name.
    """

    file: str
    image_column: str = "image"
    label_column: str = "label"
    label_columns: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    group_column: str | None = None
    root: str | None = None
    classes: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    ordered: bool = False
    name: str | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        """Refuse labels that are given in both ways."""
        if self.label_columns and self.label_column != "label":
            raise ValueError("labels are in `label_column` or in `label_columns`, not in both")


def load(config: Config, task: str) -> Dataset:
    """The data set of the table.

    Raises:
        InputError: The table, a column, a label or an image is missing, an image is there twice,
            classes look alike, or grades are not listed.
    """
    if config.ordered and not config.classes:
        message = "`data.ordered` says nothing without the order of the grades"
        raise InputError(message, "list them in `data.classes`, from the least to the worst")
    file = fetched_file(config.file) if is_url(config.file) else Path(config.file)
    root = local_folder(config.root or str(_parent(config.file)))
    names = config.classes or config.label_columns
    classes = [clean(name) for name in names] if names else None
    rows = labelled_rows(
        file,
        root,
        image_column=config.image_column,
        label_column=config.label_columns or config.label_column,
        columns=[config.group_column] if config.group_column else [],
        classes=classes,
        hint="correct the line, or give the folder of the images with `data.root`",
        task=task,
    )
    group = clean(config.group_column) if config.group_column else None
    return dataset_of(
        config.name or file.stem,
        root,
        [Sample(r.image, r.label, r.row.written[group] if group else "", r.row) for r in rows],
        classes=classes,
        licence=config.licence,
        ordered=config.ordered,
        notes=data_task(task).notes([row.label for row in rows], classes),
        task=task,
    )


def _parent(file: str) -> str | Path:
    """The folder of a path or an address."""
    return file.rpartition("/")[0] if is_url(file) else Path(file).parent
