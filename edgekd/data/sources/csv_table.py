"""`csv`: a table with a column of images and a column of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.labelled_rows import LabelledRow, labelled_rows
from edgekd.data.text import clean, is_blank
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["Config", "load"]


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        file: The CSV file.
        image_column: Paths of the images, relative to `root`; the suffix may be left out.
        label_column: Class names.
        group_column: Lesion or patient; without one, and where its cell is blank or says that it is
            not known, an image stands alone.
        root: Folder of the images; by default the folder of the file.
        classes: Class names in the order of the logits; by default sorted.
        ordered: They are grades, from the least to the worst; needs `classes`.
        name: For reports; by default the file's name.
    """

    file: str
    image_column: str = "image"
    label_column: str = "label"
    group_column: str | None = None
    root: str | None = None
    classes: Annotated[Sequence[str], Meta(min_length=1)] | None = None
    ordered: bool = False
    name: str | None = None
    licence: str = ""


def load(config: Config) -> Dataset:
    """The data set of the table.

    Raises:
        InputError: The table, a column, a label or an image is missing, an image is there twice,
            classes look alike, or grades are not listed.
    """
    if config.ordered and not config.classes:
        message = "`data.ordered` says nothing without the order of the grades"
        raise InputError(message, "list them in `data.classes`, from the least to the worst")
    file = Path(config.file)
    root = Path(config.root) if config.root else file.parent
    classes = [clean(name) for name in config.classes] if config.classes else None
    rows = labelled_rows(
        file,
        root,
        image_column=config.image_column,
        label_column=config.label_column,
        columns=[config.group_column] if config.group_column else [],
        classes=classes,
        hint="correct the line, or give the folder of the images with `data.root`",
    )
    group = clean(config.group_column) if config.group_column else None
    return dataset_of(
        config.name or file.stem,
        root,
        [Sample(r.image, r.label, r.row.written[group] if group else "", r.row) for r in rows],
        classes=classes,
        licence=config.licence,
        ordered=config.ordered,
        notes=_unlikely_classes(rows, classes),
    )


def _unlikely_classes(rows: Sequence[LabelledRow], classes: Sequence[str] | None) -> list[str]:
    """Where classes are not listed, a word for `not known` may have become one."""
    found = [] if classes else sorted({r.label for r in rows if is_blank(r.label)})
    return [
        f"{name!r} is taken for a class; remove its rows if it stands for none" for name in found
    ]
