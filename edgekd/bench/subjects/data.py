"""Labelled images that a measurement runs on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgekd.bench.result import DataFacts
from edgekd.data.task import data_task
from edgekd.errors import ImageError, InputError
from edgekd.extensions.tasks import DEFAULT_TASK

__all__ = ["BenchData", "check_subject", "data_facts"]


@dataclass(frozen=True)
class BenchData:
    """Labelled images.

    Attributes:
        name: Name of the data set.
        split: Name of the part, `test` as a rule.
        classes: Names of the network's outputs.
        images: Path and label of each image; the label as text, as in tables.
        ordered: The classes are grades, each one worse than the one before.
        groups: The lesion or patient of each image, which intervals take as independent; None
            where none are known.
        task: Name of the task, which says what a label means.
        notes: Sentences on what was guessed when the labels were read.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    images: Sequence[tuple[Path, str]]
    ordered: bool = False
    groups: Sequence[str] | None = None
    task: str = DEFAULT_TASK
    notes: tuple[str, ...] = ()

    @property
    def paths(self) -> list[Path]:
        """The paths, in order."""
        return [path for path, _ in self.images]

    @property
    def labels(self) -> list[str]:
        """The labels, in order."""
        return [label for _, label in self.images]

    @cached_property
    def targets(self) -> NDArray[Any]:
        """The targets of the labels [N, …], as the task defines them.

        Raises:
            InputError: A label cannot be read.
        """
        return data_task(self.task).targets(self.labels, self.classes)

    @property
    def names(self) -> list[str]:
        """Name of each image: its path below the deepest folder that contains all of them."""
        if not self.images:
            return []
        root = Path(os.path.commonpath([path.parent for path in self.paths]))
        return [path.relative_to(root).as_posix() for path in self.paths]

    def find(self, name: str) -> Path | None:
        """The only image whose path ends in that name; None where there is none or several."""
        parts = Path(name).parts
        matches = [path for path in self.paths if parts and path.parts[-len(parts) :] == parts]
        return matches[0] if len(matches) == 1 else None

    def limited(self, limit: int | None) -> BenchData:
        """At most `limit` images, spread evenly over the strata of the task; deterministic."""
        count = len(self.images)
        if limit is None or limit >= count:
            return self
        strata = data_task(self.task).strata(self.labels, self.classes)
        ranks = {name: rank for rank, name in enumerate(self.classes)}
        order = sorted(
            range(count), key=lambda index: (ranks.get(strata[index], len(ranks)), strata[index])
        )
        chosen = sorted(order[rank * count // limit] for rank in range(limit))
        groups = None if self.groups is None else [self.groups[index] for index in chosen]
        return replace(self, images=[self.images[index] for index in chosen], groups=groups)


def check_subject(name: str, task: str, classes: Sequence[str], data: BenchData) -> None:
    """Refuse a model whose task or list of classes is not the data's.

    Args:
        name: Name of the model, for the message.
        task: Its task.
        classes: Its classes, in the order of its outputs.
        data: The images.

    Raises:
        InputError: They differ.
    """
    hint = "measure with the data set that it was trained for"
    if task != data.task:
        raise InputError(f"{name} is made for {task}, the labels for {data.task}", hint)
    if tuple(classes) != tuple(data.classes):
        message = f"{name} knows the classes {_joined(classes)}, the data {_joined(data.classes)}"
        raise InputError(message, hint)


def _joined(classes: Sequence[str]) -> str:
    return ", ".join(classes) or "(none)"


def data_facts(data: BenchData) -> DataFacts:
    """Facts of the images; the hash covers the content and the label of each, in order.

    Raises:
        ImageError: An image cannot be read.
        InputError: A label cannot be read.
    """
    digest = hashlib.sha256()
    assert len(data.targets) == len(data.images)
    for path, label in data.images:
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            message = f"the image {path} cannot be read: {error.strerror}"
            raise ImageError(message, "check the data set's folder") from error
        digest.update(f"{content} {label}\n".encode())
    return DataFacts(
        name=data.name,
        split=data.split,
        n=len(data.images),
        sha256=digest.hexdigest(),
        classes=list(data.classes),
        groups=None if data.groups is None else len(set(data.groups)),
    )
