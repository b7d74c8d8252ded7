"""`ham10000`: the official layout of HAM10000, grouped by lesion.

Beside a selection of it, such as one image of each lesion, the other images can be trained on.

Source: Tschandl, Rosendahl, Kittler 2018, "The HAM10000 dataset", Scientific Data 5:180161.
"""

from __future__ import annotations

from pathlib import Path

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.image_files import ImageFiles, child, is_clutter
from edgekd.data.labelled_rows import LabelledRow, LabelledTable, labelled_rows
from edgekd.data.part_names import TRAIN_ONLY
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["ATTRIBUTES", "CLASSES", "Config", "load"]

ATTRIBUTES = ("age", "sex", "localization", "dx_type")
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
METADATA = "HAM10000_metadata.csv"
_IMAGE, _LESION = "image_id", "lesion_id"
# The archive comes in two parts; people also put all images into one folder.
_FOLDERS = ("images", "HAM10000_images_part_1", "HAM10000_images_part_2", ".")


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: The folder with `HAM10000_metadata.csv` and the images.
        training_root: A second such folder, for training alone: its images that `root` lacks, but
            none of a lesion that is validated or tested. The parts of the images in `root` are
            what they are without it.
    """

    root: str
    training_root: str | None = None


def load(config: Config, task: str) -> Dataset:
    """The data set, with the columns of its metadata.

    Raises:
        InputError: The metadata or an image that it lists is missing, or a second folder adds no
            image.
    """
    roots = [Path(root) for root in (config.root, config.training_root) if root is not None]
    files = ImageFiles.below(roots, _FOLDERS)
    first, *others = (_labelled(root, files, task) for root in roots)
    samples = [_sample(row) for row in first]
    known = {row.row.written[_IMAGE] for row in first}
    for table in others:
        further = [
            _sample(row, TRAIN_ONLY) for row in table if row.row.written[_IMAGE] not in known
        ]
        if not further:
            message = f"{roots[1]}, `data.training_root`, has no image that {roots[0]} lacks"
            raise InputError(message, "leave it out, or give the folder of the further images")
        samples += further
    return dataset_of(
        "ham10000",
        files.root,
        samples,
        classes=CLASSES,
        task=task,
        licence="CC BY-NC 4.0",
        citation="Tschandl et al. 2018, doi:10.1038/sdata.2018.161",
        notes=[note for table in (first, *others) for note in table.notes],
    )


def _labelled(root: Path, files: ImageFiles, task: str) -> LabelledTable:
    return labelled_rows(
        _metadata(root),
        files,
        image_column=_IMAGE,
        label_column="dx",
        columns=(_LESION,),
        classes=CLASSES,
        task=task,
        hint=f"unpack all parts of the archive: into {root / _FOLDERS[1]} and {_FOLDERS[2]}, or "
        f"{root / _FOLDERS[0]}",
    )


def _sample(row: LabelledRow, part: str = "") -> Sample:
    return Sample(row.image, row.label, row.row.written[_LESION], row.row, part=part)


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
    raise InputError(message, "put the official table there, or correct the folder in `data`")
