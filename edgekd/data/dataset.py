"""A data set: labelled images on disk, before they are parted or decoded."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from edgekd.data.text import look_alikes
from edgekd.errors import InputError

__all__ = ["Dataset", "Sample", "dataset_of"]


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        image: Path below the data set's root, with forward slashes.
        label: Name of its class.
        group: What must not be torn apart by a split: the lesion or patient. A source leaves it
            empty where it knows none; `load_dataset` then gives the image a group of its own.
        columns: Whatever else its row said (diagnosis type, body site, …).
        subclass: Name of its subclass within the class; empty where classes are not divided.
    """

    image: str
    label: str
    group: str
    columns: dict[str, str] = field(default_factory=dict)
    subclass: str = ""


@dataclass(frozen=True)
class Dataset:
    """Labelled images below one folder.

    Attributes:
        name: For reports.
        root: The folder that image paths start from.
        classes: Class names, in the order of the logits.
        samples: In a fixed order.
        licence: Of the images.
        citation: Whom to cite.
        ordered: The classes are grades, each one worse than the one before.
        notes: Sentences on what was left out, merged or taken for something else; people who train
            on the data have to see them.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    licence: str = ""
    citation: str = ""
    ordered: bool = False
    notes: tuple[str, ...] = ()

    def labels(self) -> list[int]:
        """Class index of every sample."""
        index = {name: position for position, name in enumerate(self.classes)}
        return [index[sample.label] for sample in self.samples]

    @cached_property
    def subclasses(self) -> dict[str, tuple[str, ...]]:
        """The subclasses of each class, sorted; no entry at all where classes are not divided.

        Their order, class by class, is that of the logits of a network that tells subclasses.
        """
        found = {(sample.label, sample.subclass) for sample in self.samples if sample.subclass}
        if not found:
            return {}
        return {
            name: tuple(sorted(subclass for label, subclass in found if label == name))
            for name in self.classes
        }

    @property
    def subclass_of(self) -> tuple[int, ...]:
        """Class index of each subclass [S]."""
        return tuple(
            index for index, name in enumerate(self.classes) for _ in self.subclasses.get(name, ())
        )

    def subclass_labels(self) -> list[int]:
        """Subclass index of every sample; empty where classes are not divided."""
        pairs = [(name, one) for name, members in self.subclasses.items() for one in members]
        index = {pair: position for position, pair in enumerate(pairs)}
        return [index[sample.label, sample.subclass] for sample in self.samples if index]

    def counts(self) -> dict[str, int]:
        """Number of images by class."""
        found = Counter(sample.label for sample in self.samples)
        return {name: found[name] for name in self.classes}

    def paths(self, indices: Sequence[int] | None = None) -> list[Path]:
        """Paths of all images, or of those with the given indices."""
        chosen = range(len(self.samples)) if indices is None else indices
        return [self.root / self.samples[index].image for index in chosen]


def dataset_of(
    name: str,
    root: Path,
    samples: Sequence[Sample],
    *,
    classes: Sequence[str] | None = None,
    licence: str = "",
    citation: str = "",
    ordered: bool = False,
    notes: Sequence[str] = (),
) -> Dataset:
    """A checked data set; classes are the sorted labels unless given.

    Raises:
        InputError: There are no images, fewer than two classes, an image or a class twice, an
            image without a label, or with one that is not among the given classes; classes, or
            subclasses of a class, whose names differ in case, white space or separators alone; or
            some images have a subclass and others do not.
    """
    if not samples:
        raise InputError(f"the data set {name} at {root} has no images", "check its folder")
    blank = next((sample.image for sample in samples if not sample.label), None)
    if blank is not None:
        message = f"the data set {name} lists {blank} without a label"
        raise InputError(message, "label it, or remove its row")
    order = _class_order(name, samples, classes)
    twice = [image for image, n in Counter(s.image for s in samples).items() if n > 1]
    if twice:
        raise InputError(f"the data set {name} lists {twice[0]} twice", "remove one of the rows")
    _refuse_subclasses(name, samples)
    counts = Counter(sample.label for sample in samples)
    empty = [f"there is no image of the class {one!r}" for one in order if not counts[one]]
    mixed = [
        f"the class {one!r} is written in Latin and Cyrillic letters: is it another one's double?"
        for one in order
        if {"LATIN", "CYRILLIC"} <= {unicodedata.name(c, "").partition(" ")[0] for c in one}
    ]
    told = tuple(dict.fromkeys((*notes, *empty, *mixed)))
    return Dataset(name, root, order, tuple(samples), licence, citation, ordered, told)


def _class_order(
    name: str, samples: Sequence[Sample], classes: Sequence[str] | None
) -> tuple[str, ...]:
    found = {sample.label for sample in samples}
    order = tuple(classes) if classes else tuple(sorted(found))
    unknown = sorted(found - set(order))
    if unknown:
        message = f"the data set {name} has the class {unknown[0]!r}, which is not among {order}"
        near = look_alikes([unknown[0], *order])
        hint = f"did you mean {near[0][1]!r}? " if near else ""
        raise InputError(message, f"{hint}correct the labels or the class list")
    if len(set(order)) < len(order):
        message = f"the class list of the data set {name} names a class twice: {order}"
        raise InputError(message, "name each class once")
    strange = next((one for one in order if not one.isprintable() or len(one) > 200), None)
    if strange is not None:
        message = f"the data set {name} has a class that is no name: {strange!r}"
        raise InputError(message, "name it by 200 printable letters at most")  # as bundles have to
    for same in look_alikes(order):
        message = f"the data set {name} has classes that look alike: {_quoted(same)}"
        raise InputError(message, "write the class in one way everywhere")
    if len(order) < 2:
        raise InputError(f"the data set {name} has only one class", "two or more are needed")
    return order


def _refuse_subclasses(name: str, samples: Sequence[Sample]) -> None:
    divided = {bool(sample.subclass) for sample in samples}
    if len(divided) > 1:
        bare = next(sample.image for sample in samples if not sample.subclass)
        message = f"the data set {name} lists {bare} without a subclass"
        raise InputError(message, "give every image one, or none")
    for same in look_alikes(sample.subclass for sample in samples):
        message = f"the data set {name} has subclasses that look alike: {_quoted(same)}"
        raise InputError(message, "give them one name with `data.subclasses.together`")


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names)
