"""`isic_archive`: a collection as the ISIC Archive exports it, with the columns of its metadata.

Source: https://www.isic-archive.com (its `metadata.csv`, and images named by `isic_id`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.image_files import ImageFiles, child
from edgekd.data.labelled_rows import LabelledTable, labelled_rows
from edgekd.data.row_rules import RowRules
from edgekd.data.table import Row
from edgekd.data.task import data_task
from edgekd.data.text import clean, is_blank
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["ATTRIBUTES", "Config", "load"]

ATTRIBUTES = ("age_approx", "sex", "anatom_site_general", "fitzpatrick_skin_type")
METADATA = "metadata.csv"
_GROUPS = ("patient_id", "lesion_id")
"""The first that a row has is its group: all lesions of a patient stay in one part."""


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: The folder with `metadata.csv` and the images.
        label_column: The column of the labels, such as `diagnosis_1` or `benign_malignant`; which
            of them an export has depends on its collection.
        label_map: Label as the table writes it (in any case) → name of the class.
        drop: Labels whose rows are left out; or `{column: [values]}`, whose rows are, as
            `{image_type: [clinical overview]}`.
        classes: Class names in the order of the network's outputs; by default those that occur,
            sorted.
        name: Name for reports; by default the folder's name.
    """

    root: str
    label_column: str
    label_map: dict[str, str] = msgspec.field(default_factory=dict)
    drop: dict[str, tuple[str, ...]] | tuple[str, ...] = ()
    classes: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    name: str | None = None


def load(config: Config, task: str) -> Dataset:
    """The data set, grouped by patient, or by lesion where no patient is known.

    Raises:
        InputError: The table, its column or an image is missing, or a row has no label.
    """
    root = Path(config.root)
    file = child(root, METADATA)
    if not file.is_file():
        message = f"{root} does not look like an export of the ISIC Archive: {file} is missing"
        raise InputError(message, "put its table there, or correct `data.root`")
    classes = [clean(name) for name in config.classes] if config.classes else None
    table = labelled_rows(
        file,
        ImageFiles(root),
        image_column="isic_id",
        label_column=config.label_column,
        classes=classes,
        hint=f"fetch the images again into {root}",
        task=task,
        rules=RowRules(config.label_map, config.drop),
    )
    return dataset_of(
        config.name or root.name,
        root,
        [Sample(r.image, r.label, _group(r.row), r.row) for r in table],
        classes=classes,
        licence=_values(table, "copyright_license"),
        citation=_values(table, "attribution"),
        notes=[*table.notes, *data_task(task).notes(table.labels, classes)],
        task=task,
    )


def _group(row: Row) -> str:
    return next((row[name] for name in _GROUPS if not is_blank(row.get(name, ""))), "")


def _values(table: LabelledTable, column: str) -> str:
    """The different values of a column, each once."""
    values = {row.row.get(column, "") for row in table}
    return ", ".join(sorted(value for value in values if not is_blank(value)))
