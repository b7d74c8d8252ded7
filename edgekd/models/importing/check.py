"""An imported network on labelled images: what it gets right, and what about it looks wrong.

A wrong mean, exchanged colours or a list of classes in another order spoil a teacher quietly. Each
is tried the other way round, and reported where the images show that it would be right.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgekd.data.image_files import ImageFiles
from edgekd.data.labelled_rows import LabelledRow, labelled_rows
from edgekd.data.task import data_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics import accuracy as accuracy_of
from edgekd.metrics import balanced_accuracy, confusion_matrix
from edgekd.models.card import InputCard, ModelCard
from edgekd.models.checkpoint import Checkpoint
from edgekd.models.importing.own_rule import own_view
from edgekd.models.importing.preprocessing import IMAGENET
from edgekd.models.normalised import NormalisedNetwork, logits_of
from edgekd.models.wrapped import Wrapped
from edgekd.runtime.preprocess import load_image

__all__ = ["Check", "LabelledImages", "check_model_on", "labelled_images", "read_rows"]

_TRIED = 256
"""Images on which other readings of the preprocessing are tried."""
_BATCH = 64
_CAFFE = (123.68 / 255, 116.779 / 255, 103.939 / 255)
"""Mean of the networks of Caffe, and of those of Keras that came from it."""
_SIGMA = 3.0
"""Standard deviations by which another reading has to be better to be reported."""


@dataclass(frozen=True)
class LabelledImages:
    """Images with the classes of a model.

    Attributes:
        paths: Their files.
        labels: Class index of each [N].
        left: Images of each label that the model has no class for, which are left out.
        absent: Classes of the model without any image.
    """

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    left: dict[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """What a model got right.

    Attributes:
        classes: Its classes.
        images: Number of images.
        accuracy: Share of right answers, on its owner's preprocessing.
        balanced_accuracy: Mean recall over the classes that occur.
        confusion: Counts [K, K]: rows are the labels, columns the answers.
        as_shown: Balanced accuracy on edgekd's own preprocessing, which training shows it.
        warnings: What looks wrong, and what to change.
    """

    classes: tuple[str, ...]
    images: int
    accuracy: float
    balanced_accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    as_shown: float
    warnings: tuple[str, ...]


def read_rows(
    table: Path,
    root: Path,
    *,
    image_column: str = "image",
    label_column: str = "label",
    task: str = DEFAULT_TASK,
) -> list[LabelledRow]:
    """The images and labels of a table, whatever the classes of a model.

    Raises:
        InputError: The table cannot be read, or the task has not one class for each image.
        ImageError: Images are missing.
    """
    if not data_task(task).merges_classes:
        message = f"--check compares one class for each image, and the task is {task}"
        raise InputError(message, "import it without, and measure it with edgekd eval")
    hint = "correct the line, or give the folder with --images"
    files = ImageFiles(root)
    rows = labelled_rows(
        table, files, image_column=image_column, label_column=label_column, hint=hint, task=task
    )
    return list(rows)


def labelled_images(rows: Sequence[LabelledRow], root: Path, card: ModelCard) -> LabelledImages:
    """The images of a table with labels of a model's classes.

    Raises:
        InputError: None of the labels is a class of the model.
    """
    known = [row for row in rows if row.label in card.classes]
    if not known:
        labels = ", ".join(sorted({row.label for row in rows})[:8])
        message = f"none of the labels ({labels}) is a class of the model"
        raise InputError(
            message, f"its classes are {', '.join(card.classes)}: rename them by --map"
        )
    left = Counter(row.label for row in rows if row.label not in card.classes)
    present = {row.label for row in known}
    return LabelledImages(
        tuple(root / row.image for row in known),
        np.array([card.classes.index(row.label) for row in known], dtype=np.int64),
        dict(left),
        tuple(name for name in card.classes if name not in present),
    )


def check_model_on(
    checkpoint: Checkpoint,
    images: LabelledImages,
    step: Callable[[int], None] = lambda count: None,
) -> Check:
    """Run an imported model on labelled images.

    Args:
        checkpoint: The model.
        images: The images.
        step: Progress in images.
    """
    card, network = checkpoint.card, checkpoint.normalised()
    rule, size = card.takes or InputCard(), card.image_size
    own = _outputs(network, images.paths, lambda path: own_view(path, size, rule), step)
    shown = _outputs(network, images.paths, lambda path: load_image(path, size), lambda _: None)
    confusion = confusion_matrix(own, images.labels)
    suspicions = [_exchanged(confusion, card.classes), _other_reading(checkpoint, images, own)]
    best = max(share for share, _ in suspicions)
    warnings = [*_left_out(images), *(line for share, line in suspicions if line and share == best)]
    return Check(
        classes=card.classes,
        images=len(images.labels),
        accuracy=accuracy_of(own, images.labels) or 0.0,
        balanced_accuracy=balanced_accuracy(own, images.labels) or 0.0,
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        as_shown=balanced_accuracy(shown, images.labels) or 0.0,
        warnings=tuple(warnings),
    )


def _outputs(
    network: NormalisedNetwork,
    paths: Sequence[Path],
    view: Callable[[Path], NDArray[np.uint8]],
    step: Callable[[int], None],
) -> NDArray[np.float32]:
    batches = []
    for start in range(0, len(paths), _BATCH):
        chunk = np.stack([view(path) for path in paths[start : start + _BATCH]])
        batches.append(logits_of(network, chunk, _BATCH))
        step(len(chunk))
    return np.concatenate(batches)


def _left_out(images: LabelledImages) -> Iterator[str]:
    if images.left:
        labels = ", ".join(f"{name} ({count})" for name, count in images.left.items())
        yield f"the model has no class for {labels}: these images are left out"
    if images.absent:
        yield f"no image is labelled {', '.join(images.absent)}"


def _exchanged(confusion: NDArray[np.int64], classes: Sequence[str]) -> tuple[float, str]:
    """Classes that would be right far more often in another order: the share that would be right.

    Returns:
        0 and "" where the order looks right.
    """
    from scipy.optimize import linear_sum_assignment

    _, columns = linear_sum_assignment(-confusion)
    moved = [place for place, column in enumerate(columns) if place != column]
    before, after = confusion[moved, moved], confusion[moved, columns[moved]]
    if not _is_better(int(after.sum() - before.sum()), int(after.sum() + before.sum())):
        return 0.0, ""
    share = float(confusion[np.arange(len(classes)), columns].sum() / confusion.sum())
    pairs = ", ".join(f"{classes[place]} as {classes[columns[place]]}" for place in moved)
    return share, f"images are mostly answered {pairs}: check the order of --classes"


def _other_reading(
    checkpoint: Checkpoint, images: LabelledImages, outputs: NDArray[np.float32]
) -> tuple[float, str]:
    """Other colours or numbers of the preprocessing: the share of answers that would be right.

    Returns:
        0 and "" where no others look better.
    """
    chosen = np.unique(np.linspace(0, len(images.labels) - 1, _TRIED).round().astype(int))
    card, labels = checkpoint.card, images.labels[chosen]
    rule, size = card.takes or InputCard(), card.image_size
    pixels = np.stack([own_view(images.paths[place], size, rule) for place in chosen])
    right = outputs[chosen].argmax(axis=1) == labels
    best: tuple[float, str] = (0.0, "")
    for advice, network in _readings(checkpoint):
        now = logits_of(network, pixels, _BATCH).argmax(axis=1) == labels
        gained, lost = int((now & ~right).sum()), int((right & ~now).sum())
        share = float(np.mean(now))
        if _is_better(gained - lost, gained + lost) and share > best[0]:
            of = f"{share:.3f} of {len(labels)} images, not {np.mean(right):.3f}"
            best = (share, f"{advice} would be right on {of}")
    return best


def _readings(checkpoint: Checkpoint) -> Iterator[tuple[str, NormalisedNetwork]]:
    """Other ways to show the images: what to change, and the network with that change."""
    card = checkpoint.card
    channels = (card.takes or InputCard()).channels
    other = "rgb" if channels == "BGR" else "bgr"
    numbers: dict[str, tuple[Any, Any]] = {
        "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225": IMAGENET,
        "--mean 0.5 --std 0.5": ((0.5,) * 3, (0.5,) * 3),
        "--mean 0 --std 1": ((0.0,) * 3, (1.0,) * 3),
        "--scale 255 --mean 0 --std 1": ((0.0,) * 3, (1 / 255,) * 3),
        "--scale 255 --mean 123.68,116.779,103.939 --std 1": (_CAFFE, (1 / 255,) * 3),
    }
    known = {"": (card.mean, card.std)} | numbers
    for advice, (mean, std) in known.items():
        same = np.allclose((mean, std), (card.mean, card.std), atol=1e-3)
        if advice and same:
            continue
        network = NormalisedNetwork(checkpoint.network, mean, std)
        if advice:
            yield advice, network
        # Exchanged pixels and exchanged numbers are exchanged channels behind the normalisation.
        exchanged = NormalisedNetwork(_Exchanged(checkpoint.network), mean, std)
        yield f"{advice} --channels {other}".strip(), exchanged


class _Exchanged(Wrapped):
    """A network that is given red and blue exchanged."""

    def input_of(self, images: Tensor) -> Tensor:
        """Images [B, 3, S, S] with exchanged channels."""
        return images.flip(1)


def _is_better(gain: int, changed: int) -> bool:
    """Whether a gain in right answers is more than chance, where so many answers changed."""
    return gain > _SIGMA * math.sqrt(changed) and gain > 0
