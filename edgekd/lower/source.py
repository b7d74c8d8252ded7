"""The source of a build: the student, its validation images, and its outputs for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle.seen_images import SeenImages
from edgekd.data import Split, cache_folder, decoded_images
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import InputError
from edgekd.lower.own_images import OwnImages, names_trained_on, own_data_card, split_of
from edgekd.lower.store import array_sha256
from edgekd.metrics.resampling import group_codes
from edgekd.metrics.task import metrics_task
from edgekd.models import DataCard, ModelCard, read_card
from edgekd.models.card import TEACHERS_ALONE, read_metrics, read_own_split
from edgekd.models.training_images import images_of_checkpoint, images_of_split
from edgekd.seals import keep

if TYPE_CHECKING:
    from edgekd.models import Checkpoint

__all__ = [
    "Source",
    "find_student",
    "kept_outputs",
    "load_source",
    "refuse_teacher",
]

_FITTED = ("train", "validation")
"""Parts of the user's own images that files are fitted on: ranges, then decision."""


@dataclass(frozen=True)
class Source:
    """The float student with the images that its files are judged on.

    What needs PyTorch is read on first use: a build that finds everything cached never reads it.

    Attributes:
        folder: The student's checkpoint.
        card: Model card of the checkpoint.
        split: The parts of its data set.
        pixels: Every image of the data set, uint8 [M, S, S, 3], mapped from the cache.
        metrics: Metrics of the student and its teacher, by training.
        own_data: Card of the images where they are the user's own; None for those of training.
        also_trained_on: Number of the user's judging images that bear the name of a training image.
    """

    folder: Path
    card: ModelCard
    split: Split
    pixels: NDArray[np.uint8]
    metrics: dict[str, Any]
    own_data: DataCard | None = None
    also_trained_on: int = 0

    @property
    def data(self) -> DataCard:
        """Card of the data set whose images judge the files."""
        return self.own_data or self.card.data

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The student with its weights."""
        from edgekd.models import load_checkpoint

        return load_checkpoint(self.folder)

    @cached_property
    def seen_images(self) -> SeenImages | None:
        """Hashes of the images that the student was trained on, and its files are fitted on.

        None where the files are fitted on the user's own images, and nothing is known of those of
        training: a list without them would let a test on them pass.
        """
        if self.own_data is None:
            return images_of_split(self.split, self.card.data.sha256)
        trained = images_of_checkpoint(self.folder)
        fitted = [index for index, part in enumerate(self.split.parts) if part in _FITTED]
        paths = self.split.dataset.paths(fitted)
        return trained and trained.joined({"validation": image_hashes(paths)})

    @cached_property
    def images(self) -> NDArray[np.uint8]:
        """Validation images, uint8 [N, S, S, 3]."""
        return np.asarray(self.pixels[self.split.indices("validation")])

    @cached_property
    def images_sha256(self) -> str:
        """Hash of the validation images."""
        return array_sha256(self.images)

    @cached_property
    def targets(self) -> NDArray[Any]:
        """Targets of the validation images [N, …], as the task's data layer makes them."""
        targets: NDArray[Any] = self.split.dataset.targets()[self.split.indices("validation")]
        return targets

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """A number for the lesion or patient of each validation image [N]; no names."""
        samples = self.split.dataset.samples
        names = [samples[index].group for index in self.split.indices("validation")]
        return group_codes(names, len(names))

    @cached_property
    def outputs(self) -> NDArray[np.float32]:
        """The float student's outputs [N, …] for the validation images; kept in the cache."""
        return kept_outputs(self.folder, self.card, self.images)

    @cached_property
    def validation_metrics(self) -> tuple[Any, Any]:
        """Metrics of teacher and float student on the validation images; None where not known.

        Those of training, or for images of the user's own the student's alone.
        """
        if self.own_data is None:
            teacher = self.metrics.get("teacher") or {}
            return teacher.get("validation"), self.metrics.get("validation")
        metrics = metrics_task(self.card.task).evaluate(
            self.outputs, self.targets, self.card.classes,
            ordered=self.card.ordered, groups=self.groups,
        )  # fmt: skip
        return None, msgspec.to_builtins(metrics)


def kept_outputs(folder: Path, card: ModelCard, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Outputs [N, …] of a checkpoint's float network, kept in the cache.

    Args:
        folder: The checkpoint.
        card: Model card of the checkpoint.
        images: uint8 [N, S, S, 3], S as in the card.

    Raises:
        ArtefactError: The weights are damaged.
    """
    images_sha256 = array_sha256(images)
    key = f"{card.network_sha256} {images_sha256}"
    name = f"{card.network_sha256[:16]}-{images_sha256[:16]}.npy"

    def write(place: Path) -> None:
        from edgekd.models import load_checkpoint, logits_of

        with place.open("wb") as stream:
            np.save(stream, logits_of(load_checkpoint(folder).normalised(), images))

    outputs: NDArray[np.float32] = np.load(keep(cache_folder() / "students" / name, key, write))
    return outputs


def find_student(model: Path) -> Path:
    """The student's folder: `model` itself, or `model/student` of a run."""
    return model / "student" if (model / "student").is_dir() else model


def load_source(
    model: Path, data_root: Path | None = None, own_images: OwnImages | None = None
) -> Source:
    """Read a student and the images that its files are judged on.

    Args:
        model: A checkpoint, or the folder of a run with `student` in it.
        data_root: Where the images of training are now, if not where they were.
        own_images: Images of the user's own; None for the validation images of training.

    Raises:
        InputError: There is no checkpoint, its images are missing, or it is of a kind that can
            teach alone.
        ArtefactError: The checkpoint is damaged.
    """
    folder = find_student(model)
    card = read_card(folder)
    refuse_teacher(folder, card)
    if own_images is None:
        split = read_own_split(folder, card, data_root)
        pixels = decoded_images(split.dataset, card.image_size)
        return Source(folder, card, split, pixels, read_metrics(folder))
    split = split_of(own_images, card)
    pixels = decoded_images(split.dataset, card.image_size)
    return Source(
        folder, card, split, pixels, {}, own_data_card(split), len(names_trained_on(folder, split))
    )


def refuse_teacher(folder: Path, card: ModelCard) -> None:
    """Refuse an imported network that is no module to lower, or gives no logits.

    Raises:
        InputError: It is.
    """
    if card.arch in TEACHERS_ALONE:
        message = f"{folder} is {card.arch}, which can teach a student but cannot be lowered itself"
        raise InputError(message, "import its state dict, or distil a student from it")
    if card.gives is not None and card.gives.gives != "logits":
        message = f"{folder} gives {card.gives.gives}, and a file for a device gives logits"
        raise InputError(message, "import a network without its last softmax or sigmoid")
