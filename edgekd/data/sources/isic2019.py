"""`isic2019`: the official layout of the ISIC 2019 challenge's training set.

Source: https://challenge.isic-archive.com/data/#2019, made of HAM10000 (Tschandl et al. 2018,
doi:10.1038/sdata.2018.161), BCN20000 (Combalia et al. 2019, arXiv 1908.02288) and MSK (Codella et
al. 2018, arXiv 1710.05006).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.table import read_table, require_columns
from edgekd.errors import ImageError, InputError
from edgekd.recipe import Section

__all__ = ["CLASSES", "Config", "load"]

CLASSES = ("AK", "BCC", "BKL", "DF", "MEL", "NV", "SCC", "VASC")
TRUTH = "ISIC_2019_Training_GroundTruth.csv"
METADATA = "ISIC_2019_Training_Metadata.csv"
IMAGES = "ISIC_2019_Training_Input"
_UNKNOWN = "UNK"  # a column of the official table that no training image has


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: The folder with the two tables and `ISIC_2019_Training_Input/`.
        group_by: `lesion` keeps all images of a lesion in one part (an image without a lesion
            stands alone). `image` parts them one by one, as the SSD-KD paper does: several images
            of a lesion then fall into training and test, and the test numbers come out too good.
    """

    root: str
    group_by: Literal["lesion", "image"] = "lesion"


def load(config: Config) -> Dataset:
    """The data set, with the columns of its metadata where they are there.

    Raises:
        InputError: A table or an image is missing, or a row has not exactly one of the classes.
    """
    root = Path(config.root)
    truth = _table(root, TRUTH, ("image", *CLASSES))
    lesions = config.group_by == "lesion"
    about = _metadata(root, needed=lesions)
    samples = [
        _sample(row, number, root, about, lesions) for number, row in enumerate(truth, start=2)
    ]
    return dataset_of(
        "isic2019",
        root,
        samples,
        classes=CLASSES,
        licence="CC BY-NC 4.0",
        citation="Tschandl et al. 2018; Codella et al. 2018; Combalia et al. 2019",
    )


def _table(root: Path, name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    file = root / name
    if not file.is_file():
        message = f"{root} does not look like ISIC 2019: {file} is missing"
        raise InputError(message, "put the official table there, or correct `data.root`")
    rows = read_table(file)
    require_columns(file, rows, columns)
    return rows


def _metadata(root: Path, needed: bool) -> dict[str, dict[str, str]]:
    if not needed and not (root / METADATA).is_file():
        return {}
    rows = _table(root, METADATA, ("image", "lesion_id"))
    return {row["image"]: row for row in rows}


def _sample(
    row: dict[str, str], number: int, root: Path, about: dict[str, dict[str, str]], lesions: bool
) -> Sample:
    name = row["image"]
    image = f"{IMAGES}/{name}.jpg"
    if not (root / image).is_file():
        message = f"the image {root / image} of {TRUTH} is missing"
        raise ImageError(message, f"unpack {IMAGES}.zip below {root}")
    if lesions and name not in about:
        message = f"{root / METADATA} has no row for the image {name}"
        raise InputError(message, "fetch the official table again, or use `group_by: image`")
    columns = about.get(name, {})
    lesion = columns.get("lesion_id", "").strip() if lesions else ""
    return Sample(image, _label(row, number, root), lesion or name, columns)


def _label(row: dict[str, str], number: int, root: Path) -> str:
    try:
        hot = [name for name in (*CLASSES, _UNKNOWN) if float(row.get(name) or 0) == 1.0]
    except ValueError:
        hot = []
    if len(hot) != 1 or hot[0] == _UNKNOWN:
        message = f"line {number} of {root / TRUTH} does not have 1 in exactly one class column"
        raise InputError(message, "correct the line, or fetch the official table again")
    return hot[0]
