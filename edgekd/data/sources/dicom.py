"""`dicom`: a folder of DICOM files, with labels from their tags."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.dicom_tags import check_tag, tags_of
from edgekd.data.image_files import is_clutter
from edgekd.data.row_rules import RowRules
from edgekd.data.task import data_task
from edgekd.data.text import clean, is_missing
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["ATTRIBUTES", "Config", "load"]

ATTRIBUTES = ("PatientAge", "PatientSex", "BodyPartExamined")
_SUFFIXES = (".dcm", ".dicom", ".dic", "")
_INDEX = "dicomdir"


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source. A tag is a keyword of DICOM, a number as `0008,1030`, or, for the first
    item of a sequence, `AdmittingDiagnosesCodeSequence.CodeMeaning`.

    Attributes:
        root: The folder; folders in it are searched too.
        label_tag: The tag of the label.
        label_map: Label as the tag has it (in any case) → name of the class.
        drop: Labels whose images are left out.
        group_tag: The tag that images of one lesion or patient share. Its values are patient data:
            of each a hash is kept alone.
        tags: Further tags to keep, for `attributes` or `subclasses`.
        classes: Class names in the order of the network's outputs; by default those that occur,
            sorted.
        ordered: The classes are grades, from the least to the worst; needs `classes`.
        name: Name for reports; by default the folder's name.
    """

    root: str
    label_tag: str
    label_map: dict[str, str] = msgspec.field(default_factory=dict)
    drop: tuple[str, ...] = ()
    group_tag: str = "PatientID"
    tags: tuple[str, ...] = ()
    classes: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    ordered: bool = False
    name: str | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        """Refuse grades without their order."""
        if self.ordered and not self.classes:
            raise ValueError("`ordered` needs `classes`, from the least to the worst")


def load(config: Config, task: str) -> Dataset:
    """The data set of the folder's images; files without pixels, as reports are, are left out.

    Raises:
        InputError: The folder is missing or has no images, a tag does not exist, or a file is no
            DICOM file or has no label.
        MissingDependencyError: pydicom is not installed.
    """
    root = Path(config.root)
    if not root.is_dir():
        raise InputError(f"the folder {root} does not exist", "check `data.root`")
    tags = list(dict.fromkeys((*ATTRIBUTES, *config.tags, config.label_tag, config.group_tag)))
    for tag in tags:
        check_tag(tag)
    read = {path: tags_of(root / path, tags) for path in _paths(root)}
    images = {path: values for path, values in read.items() if values is not None}
    notes = [f"{len(read) - len(images)} DICOM files without an image left out"]
    return _dataset(config, task, images, notes if len(images) < len(read) else [])


def _paths(root: Path) -> Iterator[str]:
    """Files below the root that may be DICOM, by their suffix."""
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_clutter(name))
        for name in sorted(files):
            may_be = Path(name).suffix.casefold() in _SUFFIXES and name.casefold() != _INDEX
            if may_be and not is_clutter(name):
                yield (Path(place) / name).relative_to(root).as_posix()


def _dataset(
    config: Config, task: str, images: Mapping[str, Mapping[str, str]], notes: list[str]
) -> Dataset:
    layer, rules = data_task(task), RowRules(config.label_map, config.drop)
    labels = {path: clean(values[config.label_tag]) for path, values in images.items()}
    reasons = {path: rules.drops_label(label, layer) for path, label in labels.items()}
    samples = [
        _sample(config, path, rules.renamed(labels[path], layer), values)
        for path, values in images.items()
        if not reasons[path]
    ]
    notes += rules.notes([why for why in reasons.values() if why], list(labels.values()), layer)
    return dataset_of(
        config.name or Path(config.root).name,
        Path(config.root),
        samples,
        classes=[clean(name) for name in config.classes] if config.classes else None,
        licence=config.licence,
        ordered=config.ordered,
        notes=notes,
        task=task,
    )


def _sample(config: Config, path: str, label: str, values: Mapping[str, str]) -> Sample:
    if is_missing(label) and label not in (config.classes or ()):
        message = f"{path} in {config.root} has no value of the tag {config.label_tag}"
        raise InputError(message, "label it, remove it, or name the value in `data.drop`")
    columns = {tag: value for tag, value in values.items() if tag != config.group_tag}
    return Sample(path, label, _group(values[config.group_tag]), columns)


def _group(value: str) -> str:
    """A hash in place of what identifies a patient; "" where there is none."""
    if is_missing(value):
        return ""
    return f"group {hashlib.sha256(clean(value).encode()).hexdigest()[:16]}"
