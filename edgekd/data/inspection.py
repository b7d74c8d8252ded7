"""Checking a data set before anything is trained on it: counts, leaks, a contact sheet."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np

from edgekd.data.contact_sheet import contact_sheet
from edgekd.data.damage import load_images
from edgekd.data.dataset import Dataset
from edgekd.data.decoded import Progress
from edgekd.data.split import PARTS, Split
from edgekd.errors import ImageError, InputError
from edgekd.files import write_atomically
from edgekd.runtime.preprocess import load_image
from edgekd.streams import printable

__all__ = ["Inspection", "inspect_split", "sheet_of"]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and faults of a data set and its split.

    Attributes:
        name: Name of the data set.
        images: Number of images by class and part; an image counts for each class that it shows.
        groups: Number of lesions or patients; an image without one is a group of its own.
        leaks: Lists of images of the same bytes that lie in different parts.
        conflicts: Lists of images of the same bytes that have different labels.
        damaged: Images that cannot be decoded, each with the reason.
        notes: Sentences on what was left out, merged or reinterpreted.
        subclasses: Number of images by class, subclass and part; empty where classes are not
            divided.
        total: Number of images.
    """

    name: str
    images: dict[str, dict[str, int]]
    groups: int
    leaks: list[list[str]]
    conflicts: list[list[str]] = []
    damaged: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    subclasses: dict[str, dict[str, dict[str, int]]] = {}
    total: int

    def text(self) -> str:
        """The inspection as text for the terminal."""
        groups = f"{self.groups} lesions or patients"
        lines = [f"{self.name}: {self.total} images, {groups}, {len(self.images)} classes"]
        lines.append(f"{'':12}{''.join(f'{part:>12}' for part in PARTS)}")
        for name, parts in self.images.items():
            lines.append(_line(name, parts))
            lines += [_line(f"  {one}", n) for one, n in self.subclasses.get(name, {}).items()]
        leaks = [f"leak: {' = '.join(images)}" for images in self.leaks]
        faults = [f"damaged: {why}" for why in self.damaged.values()]
        faults += [f"one image, several labels: {' = '.join(same)}" for same in self.conflicts]
        notes = [f"note: {note}" for note in self.notes]
        lines += [*notes, *faults, *(leaks or ["no image lies in two parts"])]
        return "\n".join(map(printable, lines))


def _line(name: str, parts: dict[str, int]) -> str:
    return f"{name:12}{''.join(f'{parts[part]:12}' for part in PARTS)}"


def inspect_split(split: Split, size: int, progress: Progress | None = None) -> Inspection:
    """Count every image, decode it as training does at `size` pixels, and compare it by its bytes.

    Raises:
        InputError: An image is missing now.
    """
    dataset = split.dataset
    finer = {
        name: {one: dict.fromkeys(PARTS, 0) for one in members}
        for name, members in dataset.subclasses.items()
    }
    for sample, part in zip(dataset.samples, split.parts, strict=True):
        if finer and part in PARTS:
            finer[sample.label][sample.subclass][part] += 1
    copies = _copies(dataset)
    used = [[index for index in same if split.parts[index] in PARTS] for same in copies]
    return Inspection(
        name=dataset.name,
        images=_counts(split),
        groups=len({sample.group for sample in dataset.samples}),
        leaks=_differing(used, dataset, split.parts),
        conflicts=_differing(copies, dataset, dataset.labels()),
        damaged=_damaged(dataset, size, progress),
        notes=(*dataset.notes, *_on_small_classes(split)),
        subclasses=finer,
        total=len(dataset.samples),
    )


def _counts(split: Split) -> dict[str, dict[str, int]]:
    """Number of images by class and part."""
    shows = split.dataset.shows()
    by_part = {part: shows[split.indices(part)].sum(axis=0) for part in PARTS}
    return {
        name: {part: int(by_part[part][k]) for part in PARTS}
        for k, name in enumerate(split.dataset.classes)
    }


def _on_small_classes(split: Split) -> list[str]:
    """A sentence for each class that a part lacks, though the part has images."""
    counts, filled = _counts(split), [part for part, n in split.counts().items() if n]
    notes = []
    for name, of_class in counts.items():
        lacks = [part for part in filled if sum(of_class.values()) and not of_class[part]]
        if lacks:
            notes.append(f"the class {name!r} has no image in {' and '.join(lacks)}")
    return notes


def _copies(dataset: Dataset) -> list[list[int]]:
    """Lists of images with the same bytes."""
    by_digest: dict[bytes, list[int]] = defaultdict(list)
    for index, path in enumerate(dataset.paths()):
        by_digest[_digest(path)].append(index)
    return [copies for copies in by_digest.values() if len(copies) > 1]


def _differing(
    copies: Sequence[Sequence[int]], dataset: Dataset, values: Sequence[str]
) -> list[list[str]]:
    """Names of the copies whose values, one for each image of the data set, differ."""
    return [
        [dataset.samples[index].image for index in same]
        for same in copies
        if len({values[index] for index in same}) > 1
    ]


def _damaged(dataset: Dataset, size: int, progress: Progress | None) -> dict[str, str]:
    loaded = load_images(dataset.paths(), size, progress)
    return {
        sample.image: one.message
        for sample, one in zip(dataset.samples, loaded, strict=True)
        if isinstance(one, ImageError)
    }


def sheet_of(
    split: Split, out: Path, *, columns: int = 8, tile: int = 128, skip: Collection[str] = ()
) -> None:
    """Write a PNG with a row of training images for each class, each under its label.

    Images named in `skip` are left out. A task without classes gets a single row.
    """
    dataset = split.dataset
    shows = dataset.shows() if dataset.classes else np.ones((len(dataset.samples), 1), dtype=bool)
    usable = [i for i in split.indices("train") if dataset.samples[i].image not in skip]
    images, labels = [], []
    for k, name in enumerate(dataset.classes or ("",)):
        chosen = [index for index in usable if shows[index, k]][:columns]
        rest = columns - len(chosen)
        images += [load_image(path, tile) for path in dataset.paths(chosen)]
        images += [np.full((tile, tile, 3), 255, np.uint8)] * rest
        labels += [dataset.samples[index].label for index in chosen] + [name] * rest
    grid = contact_sheet(images, labels, columns, tile=tile)
    written, png = cv2.imencode(".png", cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))
    if not written:
        raise InputError(f"the contact sheet {out} cannot be encoded", "choose a smaller set")
    write_atomically(out, png.tobytes())


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        message = f"the image {path} cannot be read: {error.strerror}"
        raise InputError(message, "check the data set's folder") from error
