"""`csv`: a table with a column of images, and one or several columns of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.fetching import fetched_file, is_url, local_folder
from edgekd.data.image_files import ImageFiles
from edgekd.data.labelled_rows import LabelledTable, labelled_rows
from edgekd.data.row_columns import RowColumns
from edgekd.data.row_rules import RowRules
from edgekd.data.table import Dialect
from edgekd.data.task import data_task
from edgekd.data.text import alike, clean
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["Config", "load"]

_Names = Annotated[tuple[str, ...], Meta(min_length=1)]


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        file: The table: CSV or Parquet, a path or an address (`s3://…`, `https://…`).
        image_column: Paths of the images, relative to `root`; the suffix may be left out.
        label_column: Labels: class names, or whatever the task reads.
        label_columns: Instead of `label_column`, one column for each class, whose cells are 1 or 0,
            true or false, yes or no.
        label_map: Label as the table writes it (in any case) → name of the class, for those that
            are to have another name.
        drop: Labels whose rows are left out; or `{column: [values]}`, whose rows are.
        group_column: Lesion or patient; without one, and where its cell is blank or says that it is
            not known, an image is a group of its own.
        split_column: The part of each row, where it is given: `train`, `validation`, `test`; or
            `train_only`, for an image that is trained on where its group is, and else left out.
            Parts that no row names are drawn by the recipe's `split`: from the rows whose cell is
            blank, or else from those to train on.
        split_names: The column's words for the parts, where they are not the usual ones, as
            `{test: [hold-out]}`.
        weight_column: How often an image is drawn for training, relative to the others; 0 is never.
        root: Folder of the images, a path or an address; by default the folder of the file. Of
            several folders the first that has an image counts. What is at an address is copied once
            into the cache.
        classes: Class names in the order of the network's outputs; by default `label_columns`, or
            the names that occur, sorted.
        ordered: The classes are grades, from the least to the worst; needs `classes`.
        separator: The character between cells, by default whichever gives the columns.
        encoding: The table's encoding, such as `cp1252`; by default UTF-8 or UTF-16, else
            Windows-1252.
        name: Name for reports; by default the file's name.
    """

    file: str
    image_column: str = "image"
    label_column: str = "label"
    label_columns: _Names | None = None
    label_map: dict[str, str] = msgspec.field(default_factory=dict)
    drop: dict[str, tuple[str, ...]] | tuple[str, ...] = ()
    group_column: str | None = None
    split_column: str | None = None
    split_names: dict[Literal["train", "validation", "test", "train_only"], _Names] = msgspec.field(
        default_factory=dict
    )
    weight_column: str | None = None
    root: str | _Names | None = None
    classes: _Names | None = None
    ordered: bool = False
    separator: Literal[",", ";", "|", "tab"] | None = None
    encoding: str | None = None
    name: str | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        """Refuse keys that contradict each other, or that would do nothing."""
        if self.label_columns and self.label_column != "label":
            raise ValueError("labels are in `label_column` or in `label_columns`, not in both")
        if self.split_names and self.split_column is None:
            raise ValueError("`split_names` are words of a `split_column`, and there is none")

    @property
    def dialect(self) -> Dialect:
        """Separator and encoding, where they are known."""
        return Dialect("\t" if self.separator == "tab" else self.separator, self.encoding)

    @property
    def columns(self) -> RowColumns:
        """The columns that say more of a row than its image and its label."""
        names = {str(part): words for part, words in self.split_names.items()}
        return RowColumns(self.group_column, self.split_column, self.weight_column, names)

    @property
    def listed_classes(self) -> list[str] | None:
        """The classes, if the recipe lists them; of label columns, as they are renamed."""
        if self.classes or not self.label_columns:
            return [clean(name) for name in self.classes] if self.classes else None
        dropped = {alike(name) for name in ([] if isinstance(self.drop, dict) else self.drop)}
        names = {alike(name): clean(new) for name, new in self.label_map.items()}
        columns = [clean(name) for name in self.label_columns if alike(name) not in dropped]
        return list(dict.fromkeys(names.get(alike(name), name) for name in columns))


def load(config: Config, task: str) -> Dataset:
    """The data set of the table.

    Raises:
        InputError: The table, a column, a label or an image is missing, an image is there twice,
            classes look alike, or grades are not listed.
        MissingDependencyError: The table is Parquet and pyarrow is not installed, or the package
            for a kind of address is not.
    """
    if config.ordered and not config.classes:
        message = "`data.ordered` says nothing without the order of the grades"
        raise InputError(message, "list them in `data.classes`, from the least to the worst")
    file = fetched_file(config.file) if is_url(config.file) else Path(config.file)
    images, columns, classes = _images(config), config.columns, config.listed_classes
    table = labelled_rows(
        file,
        images,
        image_column=config.image_column,
        label_column=config.label_columns or config.label_column,
        columns=columns.names,
        classes=classes,
        hint="correct the line, or give the folder of the images with `data.root`",
        task=task,
        rules=RowRules(config.label_map, config.drop),
        dialect=config.dialect,
    )
    samples = [
        Sample(r.image, r.label, columns.group(r.row), r.row, part=columns.part(r.row, file),
               weight=columns.weight(r.row, file))
        for r in table
    ]  # fmt: skip
    notes = [*table.notes, *data_task(task).notes(table.labels, classes)]
    return dataset_of(
        config.name or file.stem,
        images.root,
        samples,
        classes=classes,
        licence=config.licence,
        ordered=config.ordered,
        notes=[*notes, *_notes_on_folders(table, config, images)],
        task=task,
    )


def _images(config: Config) -> ImageFiles:
    roots: Sequence[str]
    if config.root is None:
        roots = [_parent(config.file)]
    else:
        roots = [config.root] if isinstance(config.root, str) else config.root
    return ImageFiles.below([local_folder(root) for root in roots])


def _parent(file: str) -> str:
    """The folder of a path or an address."""
    return file.rpartition("/")[0] if is_url(file) else str(Path(file).parent)


def _notes_on_folders(table: LabelledTable, config: Config, images: ImageFiles) -> list[str]:
    """A sentence on images that several of the folders have."""
    if config.root is None or isinstance(config.root, str):
        return []
    column = clean(config.image_column)
    several = [row.image for row in table if len(list(images.matches(row.row[column]))) > 1]
    if not several:
        return []
    return [f"{len(several)} images are in several folders; the first has {several[0]}"]
