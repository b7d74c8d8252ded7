"""`isic2019`: the official layout of the ISIC 2019 challenge's training set.

Source: https://challenge.isic-archive.com/data/#2019, made of HAM10000 (Tschandl et al. 2018,
doi:10.1038/sdata.2018.161), BCN20000 (Combalia et al. 2019, arXiv 1908.02288) and MSK (Codella et
al. 2018, arXiv 1710.05006).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.image_files import ImageFiles, child, locate_images
from edgekd.data.table import Row, read_table
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["ATTRIBUTES", "CLASSES", "Config", "load"]

ATTRIBUTES = ("age_approx", "sex", "anatom_site_general")
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
            is its own group). `image` splits images one by one, as the SSD-KD paper does: images of
            one lesion are then in training and in test, and the test metrics are too good.
    """

    root: str
    group_by: Literal["lesion", "image"] = "lesion"


def load(config: Config, task: str) -> Dataset:
    """The data set, with the columns of its metadata if that table exists.

    Raises:
        InputError: A table or an image is missing, or a row has not exactly one of the classes.
    """
    root = Path(config.root)
    truth = _table(root, TRUTH, ("image", *CLASSES))
    lesions = config.group_by == "lesion"
    about = _metadata(root, needed=lesions)
    images = locate_images(
        child(root, TRUTH),
        [(row.line, row["image"]) for row in truth],
        ImageFiles(root, (IMAGES, f"{IMAGES}/{IMAGES}")),
        hint=f"unpack {IMAGES}.zip below {root}",
    )
    samples = [
        _sample(row, image, root, about, lesions) for row, image in zip(truth, images, strict=True)
    ]
    return dataset_of(
        "isic2019",
        root,
        samples,
        classes=CLASSES,
        task=task,
        licence="CC BY-NC 4.0",
        citation="Tschandl et al. 2018; Codella et al. 2018; Combalia et al. 2019",
    )


def _table(root: Path, name: str, columns: tuple[str, ...]) -> list[Row]:
    file = child(root, name)
    if not file.is_file():
        message = f"{root} does not look like ISIC 2019: {file} is missing"
        raise InputError(message, "put the official table there, or correct `data.root`")
    return read_table(file, columns)


def _metadata(root: Path, needed: bool) -> dict[str, Row]:
    if not needed and not child(root, METADATA).is_file():
        return {}
    about: dict[str, Row] = {}
    for row in _table(root, METADATA, ("image", "lesion_id")):
        first = about.setdefault(row["image"], row)
        if first != row:
            lines = f"on lines {first.line} and {row.line}, differing"
            message = f"{child(root, METADATA)} names the image {row['image']} twice: {lines}"
            raise InputError(message, "remove one of the rows")
    return about


def _sample(row: Row, image: str, root: Path, about: dict[str, Row], lesions: bool) -> Sample:
    name = row["image"]
    if lesions and name not in about:
        message = f"{root / METADATA} has no row for the image {name}"
        raise InputError(message, "fetch the official table again, or use `group_by: image`")
    columns = about.get(name) or Row({}, {}, row.line)
    lesion = columns.written["lesion_id"] if lesions else ""
    return Sample(image, _label(row, root), lesion, columns)


def _label(row: Row, root: Path) -> str:
    try:
        shares = {name: float(row.get(name) or 0) for name in (*CLASSES, _UNKNOWN)}
    except ValueError:
        shares = {}
    hot = [name for name, share in shares.items() if share != 0]
    if len(hot) != 1 or shares[hot[0]] != 1 or hot[0] == _UNKNOWN:
        message = f"line {row.line} of {root / TRUTH} does not have 1 in exactly one class column"
        raise InputError(message, "correct the line, or fetch the official table again")
    return hot[0]
