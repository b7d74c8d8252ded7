"""Merging classes, and keeping finer labels as subclasses.

Two sections that any source takes beside its own keys: `merge` joins classes into new ones
(malignant from melanoma, basal cell carcinoma and actinic keratosis), `subclasses` says where the
subclasses of a class come from.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.table import read_table
from edgekd.data.text import clean, is_missing, near_name
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["LabelSection", "SubclassSection", "VotesSection", "relabelled"]

OTHER = "other"

_Positive = Annotated[int, Meta(ge=1)]


class VotesSection(Section, frozen=True, kw_only=True):
    """Subclasses by how far the annotators agreed: a class is divided into easy and hard images.

    Attributes:
        column: Column with the number of annotators who chose `positive`.
        of: Number of annotators.
        positive: The class that is voted for; where it is given, each label must be that of the
            majority.
        levels: Name of a subclass → sizes of the majority, each once; by default every size is a
            subclass of its own. With 7 annotators `{easy: [6, 7], hard: [4, 5]}`.

    Source: Sajedi & Plataniotis 2021, arXiv 2109.05587 (levels of difficulty inside each class).
    """

    column: str
    of: _Positive
    positive: str | None = None
    levels: dict[str, tuple[_Positive, ...]] = msgspec.field(default_factory=dict)


class SubclassSection(Section, frozen=True, kw_only=True):
    """Where subclasses come from: exactly one of `column`, `file` and `votes`.

    Attributes:
        column: A column of the source's table, as `dx_type` or `localization` of HAM10000.
        file: A CSV with the columns `image` (as the source names it, suffix and folder may be left
            out) and `subclass`.
        votes: Agreement of annotators.
        together: Name of a subclass → values that it stands for; other values keep their name.
        least: A class's subclasses of fewer images become its subclass `other`. One of fewer than
            three groups is never split: all of it is trained on.
    """

    column: str | None = None
    file: str | None = None
    votes: VotesSection | None = None
    together: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    least: _Positive = 1

    def __post_init__(self) -> None:
        """Refuse a section with no source, or with several."""
        if sum(one is not None for one in (self.column, self.file, self.votes)) != 1:
            raise ValueError("subclasses need exactly one of column, file and votes")


class LabelSection(Section, frozen=True, kw_only=True):
    """Keys of a recipe's `data` that change labels, for every source.

    Attributes:
        merge: Name of a class → the source's classes that it consists of, in the order of the
            network's outputs; every class of the source must be named.
        subclasses: Where subclasses come from: `label` for the source's classes that were merged,
            or see `SubclassSection`; by default there are none.
    """

    merge: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    subclasses: Literal["label"] | SubclassSection | None = None


def relabelled(dataset: Dataset, section: LabelSection) -> Dataset:
    """The data set with its classes merged and its subclasses set.

    Raises:
        InputError: A class is merged twice or not at all, a column, a row or a value is missing, or
            a label is not that of the majority.
    """
    names = _subclass_names(dataset, section.subclasses)
    classes = tuple(section.merge) or dataset.classes
    merged = _merged_names(dataset, section.merge)
    samples = [
        replace(sample, label=merged[sample.label], subclass=name)
        for sample, name in zip(dataset.samples, names, strict=True)
    ]
    if isinstance(section.subclasses, SubclassSection):
        samples = _without_rare(samples, section.subclasses.least)
    return dataset_of(
        dataset.name, dataset.root, samples,
        classes=classes, licence=dataset.licence, citation=dataset.citation,
        ordered=dataset.ordered, notes=dataset.notes, task=dataset.task,
    )  # fmt: skip


def _merged_names(dataset: Dataset, merge: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The new class of each class of the source."""
    if not merge:
        return {name: name for name in dataset.classes}
    merge = {made: [clean(name) for name in names] for made, names in merge.items()}
    named = Counter(name for names in merge.values() for name in names)
    wrong = [name for name in named if name not in dataset.classes or named[name] > 1]
    wrong += [name for name in dataset.classes if name not in named]
    if wrong:
        message = f"`data.merge` has to name each class of {dataset.name} once; not so {wrong[0]!r}"
        near = near_name(wrong[0], dataset.classes) if wrong[0] not in dataset.classes else ""
        raise InputError(message, f"{near}the classes are: {', '.join(dataset.classes)}")
    return {name: made for made, names in merge.items() for name in names}


def _subclass_names(
    dataset: Dataset, section: Literal["label"] | SubclassSection | None
) -> list[str]:
    if section is None:
        return [""] * len(dataset.samples)
    if section == "label":
        return [sample.label for sample in dataset.samples]
    read = _reader(dataset, section)
    renamed = {clean(value): name for name, values in section.together.items() for value in values}
    values = [read(sample) for sample in dataset.samples]
    for sample, value in zip(dataset.samples, values, strict=True):
        if is_missing(value) and value not in renamed:
            message = f"{sample.image} has the subclass {value!r}, which stands for a missing value"
            raise InputError(message, "correct it, or give it a name in `data.subclasses.together`")
    return [renamed.get(value, value) for value in values]


def _reader(dataset: Dataset, section: SubclassSection) -> Callable[[Sample], str]:
    if section.file is not None:
        listed = _listed(Path(section.file))
        return lambda sample: _of_file(sample, listed, section.file)
    if section.votes is not None:
        votes = section.votes
        return lambda sample: _agreement(sample, dataset, votes)
    column = section.column or ""
    return lambda sample: _of_column(sample, dataset, column)


def _of_column(sample: Sample, dataset: Dataset, column: str) -> str:
    value = sample.columns.get(clean(column), "")
    if not value:
        message = f"the data set {dataset.name} has no value of {column!r} for {sample.image}"
        raise InputError(message, f"known columns: {', '.join(sample.columns) or 'none'}")
    return value


def _listed(file: Path) -> dict[str, str]:
    listed: dict[str, str] = {}
    for row in read_table(file, ("image", "subclass")):
        name = _plain(row["image"])
        if listed.setdefault(name, row["subclass"]) != row["subclass"]:
            message = f"line {row.line} of {file} gives {row['image']} another subclass"
            raise InputError(message, "name each image once")
    return listed


def _plain(name: str) -> str:
    """The path without `./`, in one Unicode form, with forward slashes."""
    return posixpath.normpath(clean(name).replace("\\", "/"))


def _of_file(sample: Sample, listed: Mapping[str, str], file: str | None) -> str:
    path = PurePosixPath(_plain(sample.image))
    for name in (str(path), path.with_suffix("").as_posix(), path.name, path.stem):
        if listed.get(name):
            return listed[name]
    message = f"{file} has no subclass for the image {sample.image}"
    raise InputError(message, "add its row")


def _agreement(sample: Sample, dataset: Dataset, votes: VotesSection) -> str:
    """The subclass that the size of the annotators' majority gives."""
    text = _of_column(sample, dataset, votes.column)
    if not text.isdecimal() or int(text) > votes.of:
        message = f"{sample.image} has {text!r} in {votes.column!r}, not 0 to {votes.of} votes"
        raise InputError(message, "correct the row, or `data.subclasses.votes.of`")
    chose = int(text)
    majority = max(chose, votes.of - chose)
    if votes.positive is not None and 2 * chose != votes.of:
        _refuse_minority(sample, votes.positive, chose, votes.of)
    if not votes.levels:
        return f"{majority} of {votes.of}"
    level = next((name for name, sizes in votes.levels.items() if majority in sizes), None)
    if level is None:
        message = f"`data.subclasses.votes.levels` has no level for a majority of {majority}"
        raise InputError(message, f"give each size up to {votes.of} a level")
    return level


def _refuse_minority(sample: Sample, positive: str, chose: int, of: int) -> None:
    if (sample.label == positive) != (2 * chose > of):
        message = f"{sample.image} is {sample.label!r}, but {chose} of {of} chose {positive!r}"
        raise InputError(message, "label it as the majority does")


def _without_rare(samples: Sequence[Sample], least: int) -> list[Sample]:
    numbers = Counter((sample.label, sample.subclass) for sample in samples)
    return [
        sample
        if numbers[sample.label, sample.subclass] >= least
        else replace(sample, subclass=OTHER)
        for sample in samples
    ]
