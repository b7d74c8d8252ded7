"""Images without labels, beside the labelled ones of a recipe's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.data.dataset import Dataset, Sample
from edgekd.data.image_files import IMAGE_SUFFIXES, is_clutter
from edgekd.data.part_names import UNUSED
from edgekd.data.split import Split
from edgekd.errors import InputError
from edgekd.recipe import Section, convert

__all__ = ["UnlabelledKey", "UnlabelledSection", "unlabelled_images"]


class UnlabelledSection(Section, frozen=True, kw_only=True):
    """Images without labels, for methods that learn from them; at least one of the two keys.

    Attributes:
        folder: A folder with images at any depth. Those that the data set lists are left out.
        left_out: Take the images that `split.train_share` leaves out; their labels are not read.
    """

    folder: str | None = None
    left_out: bool = False

    def __post_init__(self) -> None:
        """Refuse a section that names no images."""
        if self.folder is None and not self.left_out:
            raise ValueError(
                "`unlabelled` names no images: give it a `folder`, or `left_out: true`"
            )


class UnlabelledKey(Section, frozen=True, kw_only=True):
    """Key of a recipe's `data` that any source takes.

    Attributes:
        unlabelled: Images without labels.
    """

    unlabelled: UnlabelledSection


def unlabelled_images(data: dict[str, Any], split: Split) -> Dataset | None:
    """The images without labels of a recipe's data, as samples without a label.

    No image of a group of the validation or the test part is among them.

    Args:
        data: The recipe's `data`.
        split: The split of the labelled images.

    Returns:
        None where the data name none.

    Raises:
        InputError: The folder is missing, or there are no such images.
    """
    if "unlabelled" not in data:
        return None
    section = convert({"unlabelled": data["unlabelled"]}, UnlabelledKey, "`data`").unlabelled
    paths = [*_left_out(split)] if section.left_out else []
    if section.folder is not None:
        paths += _in_folder(Path(section.folder).expanduser(), split)
    dataset = split.dataset
    samples = tuple(Sample(str(path), "", "") for path in dict.fromkeys(paths))
    return Dataset(
        f"{dataset.name}, unlabelled", dataset.root, dataset.classes, samples, task=dataset.task
    )


def _left_out(split: Split) -> list[Path]:
    samples = split.dataset.samples
    held_out = {samples[n].group for part in ("validation", "test") for n in split.indices(part)}
    unused = [n for n in split.indices(UNUSED) if samples[n].group not in held_out]
    if not unused:
        message = f"`data.unlabelled.left_out`: the split of {split.dataset.name} leaves none out"
        raise InputError(message, "set `split.train_share` below 1, or name a `folder`")
    return [path.absolute() for path in split.dataset.paths(unused)]


def _in_folder(folder: Path, split: Split) -> list[Path]:
    if not folder.is_dir():
        message = f"the folder of unlabelled images {folder} is missing"
        raise InputError(message, "correct `data.unlabelled.folder`")
    listed = {path.resolve() for path in split.dataset.paths()}
    files = [
        path.absolute()
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(is_clutter(part) for part in path.relative_to(folder).parts)
    ]
    free = [path for path in files if path.resolve() not in listed]
    if not free:
        listing = "only images that the data set lists" if files else "no images"
        message = f"the folder of unlabelled images {folder} has {listing}"
        raise InputError(message, "correct `data.unlabelled.folder`")
    return free
