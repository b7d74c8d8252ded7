"""Looking at a data set before anything is trained on it: counts, leaks, a contact sheet."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np

from edgekd.data.cache import Progress
from edgekd.data.contact_sheet import contact_sheet
from edgekd.data.damage import load_images
from edgekd.data.dataset import Dataset
from edgekd.data.split import PARTS, Split
from edgekd.errors import ImageError, InputError
from edgekd.files import write_atomically
from edgekd.runtime.preprocess import load_image
from edgekd.streams import printable

__all__ = ["Inspection", "inspect_split", "sheet_of"]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        name: Of the data set.
        images: Number of images by class and part.
        groups: Number of lesions or patients; an image without one counts as its own.
        leaks: Lists of images of the same bytes that lie in different parts.
        conflicts: Lists of images of the same bytes that have different labels.
        damaged: Images that cannot be decoded, each with the reason.
        notes: Sentences on what was left out, merged or taken for something else.
        subclasses: Number of images by class, subclass and part; empty where classes are not
            divided.
    """

    name: str
    images: dict[str, dict[str, int]]
    groups: int
    leaks: list[list[str]]
    conflicts: list[list[str]] = []
    damaged: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    subclasses: dict[str, dict[str, dict[str, int]]] = {}

    def text(self) -> str:
        """For the terminal."""
        total = sum(sum(parts.values()) for parts in self.images.values())
        groups = f"{self.groups} lesions or patients"
        lines = [f"{self.name}: {total} images, {groups}, {len(self.images)} classes"]
        lines.append(f"{'':12}{''.join(f'{part:>12}' for part in PARTS)}")
        for name, parts in self.images.items():
            lines.append(_line(name, parts))
            lines += [_line(f"  {one}", n) for one, n in self.subclasses.get(name, {}).items()]
        leaks = [f"leak: {' = '.join(images)}" for images in self.leaks]
        told = [f"damaged: {why}" for why in self.damaged.values()]
        told += [f"one image, several labels: {' = '.join(same)}" for same in self.conflicts]
        notes = [f"note: {note}" for note in self.notes]
        lines += [*notes, *told, *(leaks or ["no image lies in two parts"])]
        return "\n".join(map(printable, lines))


def _line(name: str, parts: dict[str, int]) -> str:
    return f"{name:12}{''.join(f'{parts[part]:12}' for part in PARTS)}"


def inspect_split(split: Split, size: int, progress: Progress | None = None) -> Inspection:
    """Count every image, decode it as training does at `size` pixels, and compare it by its bytes.

    Raises:
        InputError: An image is not there any more.
    """
    dataset = split.dataset
    counts = {name: dict.fromkeys(PARTS, 0) for name in dataset.classes}
    finer = {
        name: {one: dict.fromkeys(PARTS, 0) for one in members}
        for name, members in dataset.subclasses.items()
    }
    for sample, part in zip(dataset.samples, split.parts, strict=True):
        counts[sample.label][part] += 1
        if finer:
            finer[sample.label][sample.subclass][part] += 1
    copies = _copies(dataset)
    return Inspection(
        name=dataset.name,
        images=counts,
        groups=len({sample.group for sample in dataset.samples}),
        leaks=_differing(copies, dataset, split.parts),
        conflicts=_differing(copies, dataset, dataset.labels()),
        damaged=_damaged(dataset, size, progress),
        notes=dataset.notes,
        subclasses=finer,
    )


def _copies(dataset: Dataset) -> list[list[int]]:
    """Lists of images of the same bytes."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for index, path in enumerate(dataset.paths()):
        found[_digest(path)].append(index)
    return [same for same in found.values() if len(same) > 1]


def _differing(
    copies: Sequence[Sequence[int]], dataset: Dataset, values: Sequence[str | int]
) -> list[list[str]]:
    """Names of the copies that differ in their values, which are told by image."""
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
    """Write a PNG with a row of training images for each class, without those named in `skip`."""
    images, labels = [], []
    for name in split.dataset.classes:
        chosen = [
            index
            for index in split.indices("train")
            if split.dataset.samples[index].label == name
            and split.dataset.samples[index].image not in skip
        ][:columns]
        blank = [np.full((tile, tile, 3), 255, np.uint8)] * (columns - len(chosen))
        images += [load_image(path, tile) for path in split.dataset.paths(chosen)] + blank
        labels += [name] * columns
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
