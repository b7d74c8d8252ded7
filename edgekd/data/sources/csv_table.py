"""`csv`: a table with a column of images and a column of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.table import read_table, require_columns, resolve_image
from edgekd.errors import ImageError, InputError
from edgekd.recipe import Section

__all__ = ["Config", "load"]


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        file: The CSV file.
        image_column: Paths of the images, relative to `root`; the suffix may be left out.
        label_column: Class names.
        group_column: Lesion or patient; without one every image stands alone.
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
    classes: Sequence[str] | None = None
    ordered: bool = False
    name: str | None = None
    licence: str = ""


def load(config: Config) -> Dataset:
    """The data set of the table.

    Raises:
        InputError: The table, a column or an image is missing, or grades are not listed.
    """
    if config.ordered and not config.classes:
        message = "`data.ordered` says nothing without the order of the grades"
        raise InputError(message, "list them in `data.classes`, from the least to the worst")
    file = Path(config.file)
    root = Path(config.root) if config.root else file.parent
    rows = read_table(file)
    columns = [config.image_column, config.label_column]
    require_columns(file, rows, columns + ([config.group_column] if config.group_column else []))
    samples = [_sample(row, number, config, root) for number, row in enumerate(rows, start=2)]
    return dataset_of(
        config.name or file.stem,
        root,
        samples,
        classes=config.classes,
        licence=config.licence,
        ordered=config.ordered,
    )


def _sample(row: dict[str, str], number: int, config: Config, root: Path) -> Sample:
    value = row[config.image_column]
    image = resolve_image(root, value)
    if image is None:
        message = (
            f"line {number} of {config.file} names the image {value!r}, which is not in {root}"
        )
        raise ImageError(message, "correct the line, or give the folder of the images")
    group = row[config.group_column] if config.group_column else image
    return Sample(image, row[config.label_column].strip(), group, row)
