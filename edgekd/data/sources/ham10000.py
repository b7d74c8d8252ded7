"""`ham10000`: the official layout of HAM10000, grouped by lesion.

Source: Tschandl, Rosendahl, Kittler 2018, "The HAM10000 dataset", Scientific Data 5:180161.
"""

from __future__ import annotations

from pathlib import Path

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.image_files import ImageFiles, child, is_clutter
from edgekd.data.labelled_rows import labelled_rows
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["ATTRIBUTES", "CLASSES", "Config", "load"]

ATTRIBUTES = ("age", "sex", "localization", "dx_type")
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


def load(config: Config, task: str) -> Dataset:
    """The data set, with the columns of its metadata.

    Raises:
        InputError: The metadata or an image that it lists is missing.
    """
    root = Path(config.root)
    rows = labelled_rows(
        _metadata(root),
        ImageFiles(root, _FOLDERS),
        image_column="image_id",
        label_column="dx",
        columns=("lesion_id",),
        classes=CLASSES,
        task=task,
        hint=f"unpack all parts of the archive: into {root / _FOLDERS[1]} and {_FOLDERS[2]}, or "
        f"{root / _FOLDERS[0]}",
    )
    return dataset_of(
        "ham10000",
        root,
        [Sample(r.image, r.label, r.row.written["lesion_id"], r.row) for r in rows],
        classes=CLASSES,
        task=task,
        licence="CC BY-NC 4.0",
        citation="Tschandl et al. 2018, doi:10.1038/sdata.2018.161",
        notes=rows.notes,
    )


def _metadata(root: Path) -> Path:
    """The archive's table: `.csv` from Kaggle, `.tab` or without a suffix from Dataverse."""
    stem = Path(METADATA).stem
    file = child(root, METADATA, f"{stem}.tab", f"{stem}.tsv", stem)
    if file.is_file():
        return file
    others = [
        path
        for path in (sorted(root.iterdir()) if root.is_dir() else ())
        if "metadata" in path.name.casefold()
        and path.suffix.casefold() in (".csv", ".tab", ".tsv")
        and not is_clutter(path.name)
    ]
    if len(others) == 1:
        return others[0]
    message = f"{root} does not look like HAM10000: {root / METADATA} is missing"
    if others:
        message += f", and there are {' and '.join(path.name for path in others)}"
    raise InputError(message, "put the official table there, or correct `data.root`")
