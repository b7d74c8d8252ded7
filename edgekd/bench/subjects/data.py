"""Labelled images that a measurement runs on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekd.bench.result import DataFacts
from edgekd.errors import ImageError, InputError

__all__ = ["BenchData", "check_classes", "data_facts"]


@dataclass(frozen=True)
class BenchData:
    """Labelled images.

    Attributes:
        name: Name of the data set.
        split: Name of the part, `test` as a rule.
        classes: Class names; labels are indices into them.
        images: Path and label of each image.
        ordered: The classes are grades, each one worse than the one before.
        groups: The lesion or patient of each image, which intervals take as independent; None
            where none are known.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    images: Sequence[tuple[Path, int]]
    ordered: bool = False
    groups: Sequence[str] | None = None

    @property
    def paths(self) -> list[Path]:
        """The paths, in order."""
        return [path for path, _ in self.images]

    @property
    def labels(self) -> list[int]:
        """The labels, in order."""
        return [label for _, label in self.images]

    @property
    def names(self) -> list[str]:
        """What each image is called: its path below the folder that all of them share."""
        if not self.images:
            return []
        root = Path(os.path.commonpath([path.parent for path in self.paths]))
        return [path.relative_to(root).as_posix() for path in self.paths]

    def find(self, name: str) -> Path | None:
        """The only image whose path ends in that name; None where there is none or several."""
        parts = Path(name).parts
        found = [path for path in self.paths if parts and path.parts[-len(parts) :] == parts]
        return found[0] if len(found) == 1 else None

    def limited(self, limit: int | None) -> BenchData:
        """At most `limit` images, evenly taken over the classes; always the same ones."""
        count = len(self.images)
        if limit is None or limit >= count:
            return self
        by_class = sorted(range(count), key=lambda index: (self.images[index][1], index))
        chosen = sorted(by_class[rank * count // limit] for rank in range(limit))
        groups = None if self.groups is None else [self.groups[index] for index in chosen]
        return replace(self, images=[self.images[index] for index in chosen], groups=groups)


def check_classes(name: str, classes: Sequence[str], data: BenchData) -> None:
    """Refuse a model whose class list is not the data's, in the same order.

    Raises:
        InputError: It is not.
    """
    if tuple(classes) == tuple(data.classes):
        return
    message = f"{name} knows the classes {_words(classes)}, the data {_words(data.classes)}"
    raise InputError(message, "measure with the data set that it was trained for")


def _words(classes: Sequence[str]) -> str:
    return ", ".join(classes) or "(none)"


def data_facts(data: BenchData) -> DataFacts:
    """Which images were used; the hash is over the content and the class of each, in order.

    Raises:
        ImageError: An image cannot be read.
        InputError: A label is no class.
    """
    digest = hashlib.sha256()
    for path, label in data.images:
        if not 0 <= label < len(data.classes):
            raise InputError(f"{path} has label {label}, which is no class", "check the data")
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            message = f"the image {path} cannot be read: {error.strerror}"
            raise ImageError(message, "check the data set's folder") from error
        digest.update(f"{content} {data.classes[label]}\n".encode())
    return DataFacts(
        name=data.name,
        split=data.split,
        n=len(data.images),
        sha256=digest.hexdigest(),
        classes=list(data.classes),
        groups=None if data.groups is None else len(set(data.groups)),
    )
