"""A data set: labelled images on disk, before they are parted or decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.errors import InputError

__all__ = ["Dataset", "Sample", "dataset_of"]


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        image: Path below the data set's root, with forward slashes.
        label: Name of its class.
        group: What must not be torn apart by a split: the lesion or patient.
        columns: Whatever else its row said (diagnosis type, body site, …).
    """

    image: str
    label: str
    group: str
    columns: dict[str, str] = field(default_factory=dict)


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
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    licence: str = ""
    citation: str = ""

    def labels(self) -> list[int]:
        """Class index of every sample."""
        index = {name: position for position, name in enumerate(self.classes)}
        return [index[sample.label] for sample in self.samples]

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
) -> Dataset:
    """A checked data set; classes are the sorted labels unless given.

    Raises:
        InputError: There are no images, fewer than two classes, an image or a class twice, an
            image without a label, or with one that is not among the given classes.
    """
    if not samples:
        raise InputError(f"the data set {name} at {root} has no images", "check its folder")
    blank = next((sample.image for sample in samples if not sample.label), None)
    if blank is not None:
        message = f"the data set {name} lists {blank} without a label"
        raise InputError(message, "label it, or remove its row")
    found = {sample.label for sample in samples}
    order = tuple(classes) if classes else tuple(sorted(found))
    unknown = sorted(found - set(order))
    if unknown:
        message = f"the data set {name} has the class {unknown[0]!r}, which is not among {order}"
        raise InputError(message, "correct the labels or the class list")
    if len(set(order)) < len(order):
        message = f"the class list of the data set {name} names a class twice: {order}"
        raise InputError(message, "name each class once")
    if len(order) < 2:
        raise InputError(f"the data set {name} has only one class", "two or more are needed")
    twice = [image for image, n in Counter(s.image for s in samples).items() if n > 1]
    if twice:
        raise InputError(f"the data set {name} lists {twice[0]} twice", "remove one of the rows")
    return Dataset(name, root, order, tuple(samples), licence, citation)
