"""`ham10000`: the official layout of HAM10000, grouped by lesion.

Source: Tschandl, Rosendahl, Kittler 2018, "The HAM10000 dataset", Scientific Data 5:180161.
"""

from __future__ import annotations

from pathlib import Path

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.table import read_table, require_columns
from edgekd.errors import ImageError, InputError
from edgekd.recipe import Section

__all__ = ["CLASSES", "Config", "load"]

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
METADATA = "HAM10000_metadata.csv"
# The archive comes in two parts; people also put all images into one folder.
_FOLDERS = ("images", "HAM10000_images_part_1", "HAM10000_images_part_2", ".")


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: The folder with `HAM10000_metadata.csv` and the images.
    """

    root: str


def load(config: Config) -> Dataset:
    """The data set, with the columns of its metadata.

    Raises:
        InputError: The metadata or an image that it lists is missing.
    """
    root = Path(config.root)
    file = root / METADATA
    if not file.is_file():
        file = next(iter(sorted(root.glob("*metadata*.csv"))), file)
    if not file.is_file():
        message = f"{root} does not look like HAM10000: {root / METADATA} is missing"
        raise InputError(message, "put the official table there, or correct `data.root`")
    rows = read_table(file)
    require_columns(file, rows, ("lesion_id", "image_id", "dx"))
    samples = [_sample(row, root) for row in rows]
    return dataset_of(
        "ham10000",
        root,
        samples,
        classes=CLASSES,
        licence="CC BY-NC 4.0",
        citation="Tschandl et al. 2018, doi:10.1038/sdata.2018.161",
    )


def _sample(row: dict[str, str], root: Path) -> Sample:
    for folder in _FOLDERS:
        image = f"{folder}/{row['image_id']}.jpg".removeprefix("./")
        if (root / image).is_file():
            return Sample(image, row["dx"], row["lesion_id"], row)
    message = f"the image {row['image_id']}.jpg of {METADATA} is not in {root}"
    where = f"{root / _FOLDERS[1]} and {_FOLDERS[2]}, or {root / _FOLDERS[0]}"
    raise ImageError(message, f"unpack all parts of the archive: into {where}")
