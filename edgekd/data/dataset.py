"""A data set: labelled images on disk, before they are split or decoded."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.data.task import DataTask, data_task
from edgekd.data.text import similar_names
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK

__all__ = ["Dataset", "Sample", "dataset_of"]


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        image: Path below the data set's root, with forward slashes.
        label: Its label as text: the name of its class, its findings as `a;b`, … (see `DataTask`).
        group: The lesion or patient, whose images a split keeps in one part. A source leaves it
            empty where none is known; `load_dataset` then gives the image a group of its own.
        columns: The other columns of its row (diagnosis type, body site, …).
        subclass: Name of its subclass within the class; empty where classes are not divided.
        attributes: Facts of the patient or the image by which results are compared (age, sex, body
            site), numbers as ranges; see `edgekd.data.attributes`.
        part: The part that its table gives it (`edgekd.data.part_names`); empty where the recipe's
            `split` decides.
        weight: How often it is drawn for training, relative to the others.
    """

    image: str
    label: str
    group: str
    columns: dict[str, str] = field(default_factory=dict)
    subclass: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    part: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Dataset:
    """Labelled images below one folder.

    Attributes:
        name: Name for reports.
        root: The folder that image paths start from.
        classes: Class names, in the order of the network's outputs.
        samples: Samples in a fixed order.
        licence: Licence of the images.
        citation: Whom to cite.
        ordered: The classes are grades, each one worse than the one before.
        notes: Sentences on what was left out, merged or reinterpreted; people who train on the data
            have to see them.
        task: Name of the task, which says what a label stands for.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    licence: str = ""
    citation: str = ""
    ordered: bool = False
    notes: tuple[str, ...] = ()
    task: str = DEFAULT_TASK

    def labels(self) -> list[str]:
        """The label of every sample, as text."""
        return [sample.label for sample in self.samples]

    def targets(self) -> NDArray[Any]:
        """The targets of all samples [N, …]; with one class each, the class indices int64 [N]."""
        return data_task(self.task).targets(self.labels(), self.classes)

    def strata(self) -> list[tuple[str, str]]:
        """The stratum of every sample in a split: that of its label, and its subclass if any."""
        strata = data_task(self.task).strata(self.labels(), self.classes)
        return [(name, one.subclass) for name, one in zip(strata, self.samples, strict=True)]

    def shows(self) -> NDArray[np.bool_]:
        """Which samples show which classes, [N, K]."""
        return data_task(self.task).shows(self.targets(), self.classes)

    @cached_property
    def subclasses(self) -> dict[str, tuple[str, ...]]:
        """The subclasses of each class, sorted; empty where classes are not divided.

        Their order, class by class, is that of the outputs of a network that predicts subclasses.
        """
        pairs = {(sample.label, sample.subclass) for sample in self.samples if sample.subclass}
        if not pairs:
            return {}
        return {
            name: tuple(sorted(subclass for label, subclass in pairs if label == name))
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

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes that samples have, in the order of their first use."""
        return tuple(dict.fromkeys(name for one in self.samples for name in one.attributes))

    @property
    def is_weighted(self) -> bool:
        """Whether some samples are drawn more often than others."""
        return len({sample.weight for sample in self.samples}) > 1

    def counts(self) -> dict[str, int]:
        """Number of images by class."""
        numbers = data_task(self.task).counts(self.targets(), self.classes)
        return dict(zip(self.classes, numbers, strict=True))

    @property
    def has_images(self) -> bool:
        """Whether there are any images; `data: {source: none}` has none."""
        return bool(self.samples)

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
    task: str = DEFAULT_TASK,
) -> Dataset:
    """A checked data set; by default its classes are those that the labels name, sorted.

    Raises:
        InputError: There are no images, fewer classes than the task needs, an image or a class
            twice, an image without a label, or with one that is not among the given classes;
            classes, or subclasses of a class, whose names differ only in case, white space or
            separators; or some images have a subclass and others do not.
    """
    if not samples:
        raise InputError(f"the data set {name} at {root} has no images", "check its folder")
    layer = data_task(task)
    order = _class_order(name, samples, classes, layer)
    twice = [image for image, n in Counter(s.image for s in samples).items() if n > 1]
    if twice:
        raise InputError(f"the data set {name} lists {twice[0]} twice", "remove one of the rows")
    _refuse_subclasses(name, samples)
    written = [replace(s, label=layer.canonical(s.label, order)) for s in samples]
    dataset = Dataset(name, root, order, tuple(written), licence, citation, ordered, task=task)
    counts = dataset.counts()
    empty = [f"there is no image of the class {one!r}" for one in order if not counts[one]]
    mixed = [
        f"the class {one!r} is written in Latin and Cyrillic letters: is it another one's double?"
        for one in order
        if {"LATIN", "CYRILLIC"} <= {unicodedata.name(c, "").partition(" ")[0] for c in one}
    ]
    return replace(dataset, notes=tuple(dict.fromkeys((*notes, *empty, *mixed))))


def _class_order(
    name: str, samples: Sequence[Sample], classes: Sequence[str] | None, task: DataTask
) -> tuple[str, ...]:
    known = tuple(classes) if classes else None
    _refuse_labels(name, samples, known, task)
    order = task.classes_of([sample.label for sample in samples], known)
    if len(set(order)) < len(order):
        message = f"the class list of the data set {name} names a class twice: {order}"
        raise InputError(message, "name each class once")
    strange = next((one for one in order if not one.isprintable() or len(one) > 200), None)
    if strange is not None:
        message = f"the data set {name} has a class that is no name: {strange!r}"
        raise InputError(message, "name it by 200 printable letters at most")  # as in bundles
    for same in similar_names(order):
        message = f"the data set {name} has classes that look alike: {_quoted(same)}"
        raise InputError(message, "write the class in one way everywhere")
    if len(order) < task.least_classes:
        number = "only one class" if len(order) == 1 else "no classes"
        message = f"the data set {name} has {number}"
        raise InputError(message, f"{task.least_classes} or more are needed")
    return order


def _refuse_labels(
    name: str, samples: Sequence[Sample], classes: tuple[str, ...] | None, task: DataTask
) -> None:
    """Refuse texts that are no labels of the task, or none of the given classes."""
    for label, image in {sample.label: sample.image for sample in reversed(samples)}.items():
        problem = task.problem_with(label, classes)
        if problem is not None:
            message = f"the data set {name} has {problem.phrase}, for {image}"
            raise InputError(message, problem.hint)


def _refuse_subclasses(name: str, samples: Sequence[Sample]) -> None:
    divided = {bool(sample.subclass) for sample in samples}
    if len(divided) > 1:
        bare = next(sample.image for sample in samples if not sample.subclass)
        message = f"the data set {name} lists {bare} without a subclass"
        raise InputError(message, "give every image one, or none")
    for same in similar_names(sample.subclass for sample in samples):
        message = f"the data set {name} has subclasses that look alike: {_quoted(same)}"
        raise InputError(message, "give them one name with `data.subclasses.together`")


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names)
