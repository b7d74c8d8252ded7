"""`aptos2019`: the official layout of the APTOS 2019 Blindness Detection training set.

Source: https://www.kaggle.com/c/aptos2019-blindness-detection (Asia Pacific Tele-Ophthalmology
Society 2019): fundus photographs with the grade of diabetic retinopathy.
"""

from __future__ import annotations

from pathlib import Path

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.table import read_table, require_columns
from edgekd.errors import ImageError, InputError
from edgekd.recipe import Section

__all__ = ["CLASSES", "Config", "load"]

CLASSES = ("0", "1", "2", "3", "4")
"""Grades: none, mild, moderate, severe, proliferative."""

TABLE = "train.csv"
IMAGES = "train_images"


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: The folder with `train.csv` and `train_images/`.
    """

    root: str


def load(config: Config) -> Dataset:
    """The data set, its classes ordered.

    The table names no patients, so every image is its own group, and both eyes of a patient may
    fall into different parts.

    Raises:
        InputError: The table or an image that it lists is missing, or a grade is none.
    """
    root = Path(config.root)
    file = root / TABLE
    if not file.is_file():
        message = f"{root} does not look like APTOS 2019: {file} is missing"
        raise InputError(message, "put the official table there, or correct `data.root`")
    rows = read_table(file)
    require_columns(file, rows, ("id_code", "diagnosis"))
    samples = [_sample(row, number, root) for number, row in enumerate(rows, start=2)]
    return dataset_of(
        "aptos2019",
        root,
        samples,
        classes=CLASSES,
        licence="rules of the competition: no redistribution",
        citation="APTOS 2019 Blindness Detection, Asia Pacific Tele-Ophthalmology Society",
        ordered=True,
    )


def _sample(row: dict[str, str], number: int, root: Path) -> Sample:
    name, grade = row["id_code"].strip(), row["diagnosis"].strip()
    if grade not in CLASSES:
        message = f"line {number} of {root / TABLE} has the grade {grade!r}"
        raise InputError(message, f"`diagnosis` is one of: {', '.join(CLASSES)}")
    image = f"{IMAGES}/{name}.png"
    if not (root / image).is_file():
        message = f"the image {root / image} of line {number} of {TABLE} is missing"
        raise ImageError(message, f"unpack {IMAGES}.zip into {root / IMAGES}")
    return Sample(image, grade, name, row)
