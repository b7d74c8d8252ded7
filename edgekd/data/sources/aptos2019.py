"""`aptos2019`: the official layout of the APTOS 2019 Blindness Detection training set.

Source: https://www.kaggle.com/c/aptos2019-blindness-detection (Asia Pacific Tele-Ophthalmology
Society 2019): fundus photographs with the grade of diabetic retinopathy.
"""

from __future__ import annotations

from pathlib import Path

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.image_files import ImageFiles, child
from edgekd.data.labelled_rows import labelled_rows
from edgekd.errors import InputError
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


def load(config: Config, task: str) -> Dataset:
    """The data set, its classes ordered.

    The table names no patients, so every image is its own group, and both eyes of a patient may
    fall into different parts.

    Raises:
        InputError: The table or an image that it lists is missing, or a grade is unknown.
    """
    root = Path(config.root)
    file = child(root, TABLE)
    if not file.is_file():
        message = f"{root} does not look like APTOS 2019: {file} is missing"
        raise InputError(message, "put the official table there, or correct `data.root`")
    rows = labelled_rows(
        file,
        ImageFiles(root, (IMAGES, f"{IMAGES}/{IMAGES}")),
        image_column="id_code",
        label_column="diagnosis",
        classes=CLASSES,
        task=task,
        hint=f"unpack {IMAGES}.zip into {root / IMAGES}",
    )
    return dataset_of(
        "aptos2019",
        root,
        [Sample(r.image, r.label, "", r.row) for r in rows],
        classes=CLASSES,
        task=task,
        licence="rules of the competition: no redistribution",
        citation="APTOS 2019 Blindness Detection, Asia Pacific Tele-Ophthalmology Society",
        ordered=True,
        notes=rows.notes,
    )
