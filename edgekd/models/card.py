"""The card of a checkpoint, `model.json`: everything about a network except its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from edgekd.data.split import Split, read_split
from edgekd.errors import ArtefactError, InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.resources import student_folders
from edgekd.seals import read_checked

__all__ = [
    "CARD",
    "CARD_VERSION",
    "METRICS",
    "SPLIT",
    "WEIGHTS",
    "DataCard",
    "FinishCard",
    "ModelCard",
    "TrainingCard",
    "read_card",
    "read_metrics",
    "read_own_split",
]

CARD = "model.json"
WEIGHTS = "model.safetensors"
SPLIT = "split.csv"
METRICS = "metrics.json"
CARD_VERSION = "1.0"


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class DataCard(_Section, frozen=True, kw_only=True):
    """The images that a checkpoint was trained on; their parts are in `split.csv` beside it.

    Attributes:
        name: Name of the data set.
        root: Folder that the image paths of `split.csv` start from.
        sha256: Hash of the list of images, labels and parts.
        images: Number of images by part.
        licence: Licence of the data, for the bundle's card.
        citation: The publication to cite.
    """

    name: str
    root: str
    sha256: str
    images: dict[str, int]
    licence: str = ""
    citation: str = ""


class FinishCard(_Section, frozen=True, kw_only=True):
    """The last stage of a student's training, in simulated int8.

    Attributes:
        quantisation: `int8`.
        epochs: Epochs trained.
        best_epoch: The epoch whose weights these are; 0: the student as it was before the stage,
            which no epoch surpassed.
        learning_rate: Largest learning rate.
        metric: Name of the metric that chose the epoch.
        before: Its value on the validation part in simulated int8 before the stage.
        after: Its value of these weights.
    """

    quantisation: str
    epochs: int
    best_epoch: int
    learning_rate: float
    metric: str
    before: float
    after: float


class TrainingCard(_Section, frozen=True, kw_only=True):
    """How the weights were trained.

    Attributes:
        method: Name of the method (`none` for plain supervised training).
        seed: Seed of everything random.
        recipe_sha256: Hash of the whole resolved recipe.
        stage_sha256: Hash of everything that the weights depend on; equal hashes mean equal
            training.
        epochs: Epochs trained.
        best_epoch: The epoch whose weights these are.
        teacher: Hash of the teacher's weights (of several: one hash for all), or null.
        teaching: The members and weights of several teachers, and how outputs were computed where
            not by default; else empty.
        git_revision: Revision of the checkout, if there is one.
        options: The method's options as resolved.
        finish: The stage that finished a student for int8, after the epochs above; null without.
        precision: `fp32`, or the precision that the networks were trained in under autocast; empty
            in cards older than this field.
        precision_reason: Why, with the seconds of a step where they were measured.
    """

    method: str
    seed: int
    recipe_sha256: str
    stage_sha256: str
    epochs: int
    best_epoch: int
    teacher: str | None = None
    teaching: dict[str, Any] = {}
    git_revision: str | None = None
    options: dict[str, Any] = {}
    finish: FinishCard | None = None
    precision: str = ""
    precision_reason: str = ""


class ModelCard(_Section, frozen=True, kw_only=True):
    """One trained network.

    Attributes:
        task: Name of the task.
        role: Its role in the recipe.
        arch: Name of the architecture in timm.
        arch_options: Further arguments of its constructor.
        classes: Class names in the order of the network's outputs.
        ordered: Whether the classes are grades, each one worse than the one before.
        subclasses: Names of the subclasses by class, if the network outputs subclasses (class by
            class, in this order) that are summed to class logits; else empty.
        head: Number of outputs of the network's head; None: one for each class or subclass.
        policy: The whole policy of the recipe as plain values; None in cards older than policies,
            which have the dermoscopy policy.
        image_size: S, the side of the square input in pixels.
        mean: Normalisation: mean of each channel, of pixels scaled to 0…1.
        std: Normalisation: standard deviation of each channel, of pixels scaled to 0…1.
        resize: Name of the preprocessing rule.
        params: Number of trained parameters.
        macs: Multiply-accumulates of one image.
        pretrained: The initial weights: `none`, `package`, `hub`, or a file.
        data: What it was trained on.
        training: How it was trained.
        weights_sha256: Hash of `model.safetensors`.
    """

    format_version: str = CARD_VERSION
    task: str = DEFAULT_TASK
    role: Literal["teacher", "student"]
    arch: str
    arch_options: dict[str, Any] = {}
    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str
    params: int
    macs: int
    pretrained: str
    data: DataCard
    training: TrainingCard
    weights_sha256: str = ""
    ordered: bool = False
    subclasses: dict[str, tuple[str, ...]] = {}
    head: int | None = None
    policy: dict[str, Any] | None = None

    @property
    def subclass_of(self) -> tuple[int, ...]:
        """Class index of each output of a network that predicts subclasses; else empty."""
        sizes = [len(self.subclasses.get(name, ())) for name in self.classes]
        return tuple(index for index, size in enumerate(sizes) for _ in range(size))

    @property
    def outputs(self) -> int:
        """Number of outputs of the network's head."""
        return self.head or len(self.subclass_of) or len(self.classes)


def read_card(folder: str | Path) -> ModelCard:
    """The card of the checkpoint in `folder`; its weights are not read.

    Raises:
        InputError: There is no checkpoint.
        ArtefactError: The card is damaged, does not match its seal, or is of another major version.
    """
    file = Path(folder) / CARD
    if not file.is_file():
        message = f"there is no checkpoint at {folder}: {CARD} is missing"
        hint = "give the folder that `edgekd train` or `edgekd distill` wrote"
        students = ", ".join(student_folders())
        raise InputError(message, f"{hint}, or a student: {students}" if students else hint)
    try:
        card = msgspec.json.decode(read_checked(file), type=ModelCard)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise ArtefactError(
            f"{file} is damaged: {error}", "train again, or copy it again"
        ) from error
    if card.format_version.split(".")[0] != CARD_VERSION.split(".")[0]:
        message = (
            f"{file} has format version {card.format_version}; this edgekd reads {CARD_VERSION}"
        )
        raise ArtefactError(message, "install the edgekd that wrote it")
    if card.subclasses and not all(card.subclasses.get(name) for name in card.classes):
        message = f"{file} is damaged: it names the subclasses of some classes alone"
        raise ArtefactError(message, "train again, or copy it again")
    return card


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics that training wrote beside a checkpoint; empty without any.

    Raises:
        ArtefactError: They are damaged.
    """
    file = folder / METRICS
    try:
        return msgspec.json.decode(read_checked(file), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        message = f"{file} is damaged: {error}"
        raise ArtefactError(message, "train again, or copy it again") from error


def read_own_split(folder: Path, card: ModelCard, root: Path | None = None) -> Split:
    """The split that a checkpoint was trained with.

    Args:
        folder: Folder of the checkpoint.
        card: Card of the checkpoint.
        root: Folder of the images, if they have been moved.

    Raises:
        InputError: There is no split, or its images are missing.
        ArtefactError: The file is not the split that the checkpoint was trained with.
    """
    file = folder / SPLIT
    try:
        read_checked(file)
    except OSError as error:
        message = f"{folder} does not say which images it was trained on: {SPLIT} is missing"
        raise InputError(message, "copy the checkpoint's whole folder") from error
    split = read_split(
        file, root or Path(card.data.root), name=card.data.name, classes=card.classes,
        task=card.task,
    )  # fmt: skip
    if split.sha256() != card.data.sha256:
        message = f"{file} is not the one that the model was trained with"
        raise ArtefactError(message, "copy the checkpoint's whole folder")
    return split
