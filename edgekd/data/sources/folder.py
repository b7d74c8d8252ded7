"""`folder`: one folder per class, named as the class."""

from __future__ import annotations

from pathlib import Path

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.table import IMAGE_SUFFIXES
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["Config", "load"]


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: The folder that holds one folder per class.
        name: For reports; by default the folder's name.
    """

    root: str
    name: str | None = None
    licence: str = ""


def load(config: Config) -> Dataset:
    """The data set of the folder; every image is its own group.

    Raises:
        InputError: The folder is missing or holds no class folders with images.
    """
    root = Path(config.root)
    if not root.is_dir():
        raise InputError(f"the folder {root} does not exist", "check `data.root`")
    samples = [
        Sample(file.relative_to(root).as_posix(), file.relative_to(root).parts[0], str(file))
        for file in sorted(root.glob("*/**/*"))
        if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()
    ]
    if not samples:
        message = f"the folder {root} has no images in folders of their class"
        raise InputError(message, f"expected there: {root / 'CLASS' / 'NAME.jpg'}")
    return dataset_of(config.name or root.name, root, samples, licence=config.licence)
