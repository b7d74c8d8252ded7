"""The card of a checkpoint, `model.json`: everything about a network except its weights."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgekd.data.split import Split, read_split
from edgekd.errors import ArtefactError, InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.files import sha256_of
from edgekd.recipe import fingerprint
from edgekd.resources import student_folders
from edgekd.seals import read_checked

__all__ = [
    "CARD",
    "CARD_VERSION",
    "METRICS",
    "OUTPUTS_ALONE",
    "SPLIT",
    "SYNTHESISED_FOLDER",
    "SYNTHESISED_LABELS",
    "TEACHERS_ALONE",
    "WEIGHTS",
    "Channels",
    "DataCard",
    "FinishCard",
    "Gives",
    "ImportCard",
    "InputCard",
    "Interpolation",
    "Layout",
    "ModelCard",
    "OutputCard",
    "Resize",
    "TrainingCard",
    "has_images",
    "read_card",
    "read_metrics",
    "read_own_split",
    "refuse_damaged",
]

CARD = "model.json"
WEIGHTS = "model.safetensors"
SPLIT = "split.csv"
METRICS = "metrics.json"
SYNTHESISED_FOLDER = "synthesised"
"""Folder of the images that a student without data was taught with."""
SYNTHESISED_LABELS = "labels.csv"
"""Their table, in that folder: `image` and `label`, the class that an image was made for."""
CARD_VERSION = "1.0"

OUTPUTS_ALONE: Mapping[str, str] = {
    "ONNX": "model.onnx",
    "ExportedProgram": "model.pt2",
    "TorchScript": "model.ts",
}
"""`arch` of networks whose file gives outputs and no features, and the name of that file."""

TEACHERS_ALONE = ("ONNX", "TorchScript")
"""Those that are no module of PyTorch's, and cannot be lowered."""

Channels = Literal["RGB", "BGR"]
Layout = Literal["NCHW", "NHWC"]
Resize = Literal["shorter-side", "squash"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "area", "hamming"]
Gives = Literal["logits", "probabilities", "log-probabilities", "sigmoids", "logit", "probability"]


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

    @property
    def finished_in_int8(self) -> bool:
        """Whether the weights are those of a finish in simulated int8."""
        return self.finish is not None and self.finish.best_epoch > 0


class InputCard(_Section, frozen=True, kw_only=True):
    """How a network from elsewhere takes its images, and how it was shown them there.

    Whatever it was shown there, edgekd shows it the square of its own rule (`ModelCard.resize`).

    Attributes:
        channels: Order of the colours in its input.
        layout: Order of the dimensions of its input.
        resize: What was done there before the centre square was cut out: `shorter-side` resizes
            to a shorter side; `squash` resizes both sides to it, whatever the aspect.
        fraction: Side of its input as a share of that side, 0…1.
        interpolation: Pillow's filter of that name (`area` is Pillow's `BOX`).
    """

    channels: Channels = "RGB"
    layout: Layout = "NCHW"
    resize: Resize = "shorter-side"
    fraction: float = 1.0
    interpolation: Interpolation = "bilinear"


class OutputCard(_Section, frozen=True, kw_only=True):
    """What a network from elsewhere gives, and what becomes of it.

    Attributes:
        names: Its own names of its outputs, in order; of a single output for two classes, both.
        classes: Class of the card that each name counts for; "" where it is dropped.
        gives: `logits`; `probabilities` (a softmax is inside) or their logarithms; `sigmoids`, a
            probability of each name by itself; or a single `logit` or `probability` of the second
            of two names.
        key: Key or position of the outputs where it gives several things; "" where it gives one.
    """

    names: tuple[str, ...]
    classes: dict[str, str]
    gives: Gives = "logits"
    key: str = ""

    @property
    def plain(self) -> bool:
        """Whether these are logits of the card's classes as they are."""
        renamed = [self.classes[name] for name in self.names]
        whole = "" not in renamed and len(set(renamed)) == len(renamed)
        return whole and self.gives == "logits" and not self.key

    @property
    def width(self) -> int:
        """Number of outputs of the network itself."""
        return 1 if self.gives in ("logit", "probability") else len(self.names)


class ImportCard(_Section, frozen=True, kw_only=True):
    """Where a network that was not trained by edgekd comes from.

    Attributes:
        kind: What it was read from, for people.
        file: Name of the file or folder.
        sha256: Hash of the file; of a folder, of the file of its weights.
        assumed: What nothing said about its preprocessing, and was assumed.
    """

    kind: str
    file: str
    sha256: str
    assumed: tuple[str, ...] = ()


class ModelCard(_Section, frozen=True, kw_only=True):
    """One trained network.

    Attributes:
        task: Name of the task.
        role: Its role in the recipe.
        arch: Name of the architecture in timm; `torchvision:NAME`, `transformers:CLASS`,
            `edgekd:NAME`, or `package.module:Class`; or one of `OUTPUTS_ALONE`.
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
        params: Number of trained parameters; 0 where its file does not tell them.
        macs: Multiply-accumulates of one image; 0 where they are not known.
        pretrained: The initial weights: `none`, `package`, `hub`, or a file.
        data: What it was trained on.
        training: How it was trained.
        weights_sha256: Hash of the file of the weights.
        imported: Where the network comes from, if edgekd did not train it.
        takes: How an imported network takes its images.
        gives: What an imported network gives.
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
    imported: ImportCard | None = None
    takes: InputCard | None = None
    gives: OutputCard | None = None

    @property
    def weights(self) -> str:
        """Name of the file of the weights."""
        return OUTPUTS_ALONE.get(self.arch, WEIGHTS)

    @property
    def outputs_alone(self) -> bool:
        """Whether the network gives outputs and no features."""
        return self.arch in OUTPUTS_ALONE

    @property
    def network_sha256(self) -> str:
        """Hash of what the outputs depend on: the weights, and how an imported network is used."""
        if self.imported is None:
            return self.weights_sha256
        used = (self.mean, self.std, self.takes, self.gives, self.arch, self.arch_options)
        return fingerprint(self.weights_sha256, self.image_size, used)

    def own_side(self, image_size: int) -> int | None:
        """The size in pixels that this network sees images at, where it teaches others at a size.

        Args:
            image_size: The size that the student sees.

        Returns:
            None for the size that the student sees, whatever that is in an epoch.
        """
        same = self.imported is None and self.image_size == image_size
        return None if same else self.image_size

    @property
    def subclass_of(self) -> tuple[int, ...]:
        """Class index of each output of a network that predicts subclasses; else empty."""
        sizes = [len(self.subclasses.get(name, ())) for name in self.classes]
        return tuple(index for index, size in enumerate(sizes) for _ in range(size))

    @property
    def outputs(self) -> int:
        """Number of outputs of the network's head, in a checkpoint once what it gives is mapped."""
        return self.head or len(self.subclass_of) or len(self.classes)

    @property
    def width(self) -> int:
        """Number of outputs of the network as its library makes it."""
        return self.outputs if self.gives is None else self.gives.width


def read_card(folder: str | Path) -> ModelCard:
    """The card of the checkpoint in `folder`; its weights are not read.

    Raises:
        InputError: There is no checkpoint.
        ArtefactError: The card is damaged, does not match its seal, or is of another major version.
    """
    file = Path(folder) / CARD
    if not file.is_file():
        message = f"there is no checkpoint at {folder}: {CARD} is missing"
        raise InputError(message, _hint_for(Path(folder)))
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
    if card.gives is not None and not _is_whole(card.gives, card.classes):
        message = f"{file} is damaged: its outputs do not come to its classes"
        raise ArtefactError(message, "import it again, or copy it again")
    return card


def _is_whole(gives: OutputCard, classes: tuple[str, ...]) -> bool:
    """Whether each output comes to a class or is dropped, and each class has an output."""
    if set(gives.names) != gives.classes.keys() or len(set(gives.names)) < len(gives.names):
        return False
    return set(gives.classes.values()) - {""} == set(classes)


def _hint_for(place: Path) -> str:
    """What to do where there is no checkpoint: a model of another tool can be made one."""
    if place.is_file() or (place / "config.json").is_file():
        return f"make one of it: edgekd import {place} --classes FILE|a,b,c --out DIR"
    hint = "give the folder that `edgekd train`, `distill` or `import` wrote"
    students = ", ".join(student_folders())
    return f"{hint}, or a student: {students}" if students else hint


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


def refuse_damaged(folder: Path, card: ModelCard) -> None:
    """Compare the weights of a checkpoint with the card's hash, without PyTorch.

    Raises:
        ArtefactError: They are missing, damaged, or another network's.
    """
    file = folder / card.weights
    if not file.is_file() or sha256_of(file) != card.weights_sha256:
        state = "damaged, or another network's" if file.exists() else "missing"
        raise ArtefactError(f"{file} is {state}", "copy the checkpoint's whole folder")


def has_images(folder: Path) -> bool:
    """Whether a checkpoint names labelled images: no import does, and no student without data."""
    file = folder / SPLIT
    if not file.is_file():
        return False
    with file.open(encoding="utf-8") as rows:
        return sum(1 for _ in islice(rows, 2)) > 1  # a student without data has a header alone


def read_own_split(
    folder: Path, card: ModelCard, root: Path | None = None, *, images: bool = True
) -> Split:
    """The split that a checkpoint was trained with.

    Args:
        folder: Folder of the checkpoint.
        card: Card of the checkpoint.
        root: Folder of the images, if they have been moved.
        images: Whether the images must be there.

    Raises:
        InputError: There is no split, it was trained without images, or they are missing.
        ArtefactError: The file is not the split that the checkpoint was trained with.
    """
    file = folder / SPLIT
    try:
        read_checked(file)
    except OSError as error:
        message = f"{folder} does not say which images it was trained on: {SPLIT} is missing"
        of_import = (
            "no import does: give labelled images of yours, such as `build --data FILE.csv`; or "
            "build with --research, and judge the bundle where the images are: `edgekd certify`"
        )
        hint = of_import if card.imported else "copy the checkpoint's whole folder"
        raise InputError(message, hint) from error
    if not has_images(folder):
        message = f"{folder} was distilled without images: nothing here can judge its files"
        hint = "give labelled images of yours, such as `build --data FILE.csv`; or build with "
        hint += "--research, and judge the bundle where the images are: `edgekd certify`"
        raise InputError(message, hint)
    split = read_split(
        file, root or Path(card.data.root), name=card.data.name, classes=card.classes,
        task=card.task, images=images,
    )  # fmt: skip
    if split.sha256() != card.data.sha256:
        message = f"{file} is not the one that the model was trained with"
        raise ArtefactError(message, "copy the checkpoint's whole folder")
    return split
