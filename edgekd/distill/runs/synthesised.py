"""The images that a student was taught with, where a method made them: to look at, and as data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.data.contact_sheet import contact_sheet
from edgekd.distill.methods import Method
from edgekd.files import write_atomically
from edgekd.models.card import SYNTHESISED_FOLDER, SYNTHESISED_LABELS
from edgekd.seals import clear_place

__all__ = ["FOLDER", "KEPT", "LABELS", "SHEET", "WARNING", "write_images", "write_synthesised"]

FOLDER = SYNTHESISED_FOLDER
KEPT = 256
"""Most images that are written."""
SHEET, LABELS, NOTE = "contact-sheet.png", SYNTHESISED_LABELS, "README.txt"
WARNING = (
    "No camera took these images: a generator made them so that a teacher answers as it does to "
    "its own. They are no evidence of what a network does with photographs of patients, and their "
    "labels are the classes that they were made for, which nobody has seen in them. Calibrate with "
    "them if there is nothing else; never test, certify or publish figures with them."
)
_COLUMNS = 16
_ON_SHEET = 128


def write_synthesised(
    method: Method, classes: Sequence[str], out: Path, say: Callable[[str], None]
) -> None:
    """Write `out/synthesised`: a contact sheet, the images, their labels, and a warning.

    Nothing is written for methods that make no images. `labels.csv` beside the images is a data set
    (`data: {source: csv, labels: …/labels.csv}`).

    Args:
        method: The method after its last stage.
        classes: Names of the classes.
        out: Folder of the network that was trained.
        say: Receives one line of progress.
    """
    drawn = torch.Generator().manual_seed(method.context.seed)
    made = method.synthesised(KEPT, drawn)
    if made is not None:
        write_images(*made, classes, out, say)


def write_images(
    made: Tensor, made_for: Tensor, classes: Sequence[str], out: Path, say: Callable[[str], None]
) -> None:
    """Write `out/synthesised` of images that were made; see `write_synthesised`.

    Args:
        made: uint8 [N, 3, S, S].
        made_for: Class indices that they were made for [N].
        classes: Names of the classes.
        out: Where the folder is to be.
        say: Receives one line of progress.
    """
    images = np.ascontiguousarray(made.permute(0, 2, 3, 1).cpu().numpy())
    labels = [classes[label] for label in made_for.tolist()]
    folder = out / FOLDER
    clear_place(folder)
    names = [f"{number:04d}.png" for number in range(len(images))]
    for name, image in zip(names, images, strict=True):
        write_atomically(folder / name, _png(image))
    write_atomically(folder / LABELS, _table(names, labels))
    write_atomically(folder / NOTE, f"{WARNING}\n")
    by_class = sorted(range(len(labels)), key=labels.__getitem__)[:: -(-len(labels) // _ON_SHEET)]
    sheet = contact_sheet(
        [images[index] for index in by_class], [labels[index] for index in by_class], _COLUMNS,
        tile=max(64, images.shape[1]),
    )  # fmt: skip
    write_atomically(folder / SHEET, _png(sheet))
    say(f"{len(images)} of the images that were made: {folder / SHEET}")


def _png(image: NDArray[np.uint8]) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return bytes(encoded)


def _table(names: Sequence[str], labels: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("image", "label"))
    writer.writerows(zip(names, labels, strict=True))
    return buffer.getvalue()
