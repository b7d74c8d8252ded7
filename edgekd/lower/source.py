"""What a build starts from: the student, its images, and the student's own answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.data import Split, decode_images, read_split
from edgekd.errors import ArtefactError, InputError
from edgekd.models import Checkpoint, load_checkpoint, logits_of
from edgekd.models.card import METRICS, SPLIT

__all__ = ["Source", "find_student", "load_source"]


@dataclass(frozen=True)
class Source:
    """The float student with the images that its files are judged on.

    Attributes:
        checkpoint: The student.
        split: The parts that it remembers.
        images: Validation images, uint8 [N, S, S, 3].
        targets: Their class indices [N].
        logits: The float student's answers [N, K].
        metrics: Metrics that training wrote down, of the student and its teacher.
    """

    checkpoint: Checkpoint
    split: Split
    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    logits: NDArray[np.float32]
    metrics: dict[str, Any]


def find_student(model: Path) -> Path:
    """The student's folder: `model` itself, or `model/student` of a run."""
    return model / "student" if (model / "student").is_dir() else model


def load_source(model: Path, data_root: Path | None = None) -> Source:
    """Read a student and the validation images that it remembers.

    Args:
        model: A checkpoint, or the folder of a run with `student` in it.
        data_root: Where the images are now, if not where they were.

    Raises:
        InputError: There is no checkpoint, or its images are gone.
        ArtefactError: The checkpoint is damaged.
    """
    folder = find_student(model)
    checkpoint = load_checkpoint(folder)
    card = checkpoint.card
    root = data_root or Path(card.data.root)
    if not (folder / SPLIT).is_file():
        message = f"{folder} does not say which images it was trained on: {SPLIT} is missing"
        raise InputError(message, "copy the checkpoint's whole folder")
    split = read_split(folder / SPLIT, root, name=card.data.name, classes=card.classes)
    if split.sha256() != card.data.sha256:
        message = f"{folder / SPLIT} is not the one that the model was trained with"
        raise ArtefactError(message, "copy the checkpoint's whole folder")
    chosen = split.indices("validation")
    images = decode_images(split.dataset.paths(chosen), card.image_size)
    targets = np.array(split.dataset.labels(), dtype=np.int64)[chosen]
    logits = logits_of(checkpoint.normalised(), images)
    return Source(checkpoint, split, images, targets, logits, _metrics(folder))


def _metrics(folder: Path) -> dict[str, Any]:
    file = folder / METRICS
    if not file.is_file():
        return {}
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    return found
