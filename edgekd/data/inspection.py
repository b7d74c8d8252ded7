"""Looking at a data set before anything is trained on it: counts, leaks, a contact sheet."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import cv2
import msgspec
import numpy as np

from edgekd.data.cache import Progress
from edgekd.data.contact_sheet import contact_sheet
from edgekd.data.split import PARTS, Split
from edgekd.errors import InputError
from edgekd.files import write_whole
from edgekd.runtime.preprocess import load_image

__all__ = ["Inspection", "inspect_split", "sheet_of"]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        name: Of the data set.
        images: Number of images by class and part.
        groups: Number of lesions or patients.
        leaks: Lists of images of the same bytes that lie in different parts.
        subclasses: Number of images by class, subclass and part; empty where classes are not
            divided.
    """

    name: str
    images: dict[str, dict[str, int]]
    groups: int
    leaks: list[list[str]]
    subclasses: dict[str, dict[str, dict[str, int]]] = {}

    def text(self) -> str:
        """For the terminal."""
        total = sum(sum(parts.values()) for parts in self.images.values())
        lines = [f"{self.name}: {total} images, {self.groups} lesions, {len(self.images)} classes"]
        lines.append(f"{'':12}{''.join(f'{part:>12}' for part in PARTS)}")
        for name, parts in self.images.items():
            lines.append(_line(name, parts))
            lines += [_line(f"  {one}", n) for one, n in self.subclasses.get(name, {}).items()]
        leaks = [f"leak: {' = '.join(images)}" for images in self.leaks]
        return "\n".join([*lines, *(leaks or ["no image lies in two parts"])])


def _line(name: str, parts: dict[str, int]) -> str:
    return f"{name:12}{''.join(f'{parts[part]:12}' for part in PARTS)}"


def inspect_split(split: Split, progress: Progress | None = None) -> Inspection:
    """Count and compare every image, by its bytes.

    Raises:
        InputError: An image cannot be read.
    """
    counts = {name: dict.fromkeys(PARTS, 0) for name in split.dataset.classes}
    finer = {
        name: {one: dict.fromkeys(PARTS, 0) for one in members}
        for name, members in split.dataset.subclasses.items()
    }
    copies: dict[bytes, list[int]] = defaultdict(list)
    paths = split.dataset.paths()
    for index, (sample, part) in enumerate(zip(split.dataset.samples, split.parts, strict=True)):
        counts[sample.label][part] += 1
        if finer:
            finer[sample.label][sample.subclass][part] += 1
        copies[_digest(paths[index])].append(index)
        if progress:
            progress(index + 1, len(paths))
    leaks = [
        [split.dataset.samples[index].image for index in same]
        for same in copies.values()
        if len({split.parts[index] for index in same}) > 1
    ]
    groups = len({sample.group for sample in split.dataset.samples})
    return Inspection(
        name=split.dataset.name, images=counts, groups=groups, leaks=leaks, subclasses=finer
    )


def sheet_of(split: Split, out: Path, *, columns: int = 8, tile: int = 128) -> None:
    """Write a PNG with a row of training images for each class."""
    images, labels = [], []
    for name in split.dataset.classes:
        chosen = [
            index for index in split.indices("train") if split.dataset.samples[index].label == name
        ][:columns]
        blank = [np.full((tile, tile, 3), 255, np.uint8)] * (columns - len(chosen))
        images += [load_image(path, tile) for path in split.dataset.paths(chosen)] + blank
        labels += [name] * columns
    grid = contact_sheet(images, labels, columns, tile=tile)
    written, png = cv2.imencode(".png", cv2.cvtColor(grid, cv2.COLOR_RGB2BGR))
    if not written:
        raise InputError(f"the contact sheet {out} cannot be encoded", "choose a smaller set")
    write_whole(out, png.tobytes())


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        message = f"the image {path} cannot be read: {error.strerror}"
        raise InputError(message, "check the data set's folder") from error
