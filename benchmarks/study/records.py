"""Records of finished runs: small files that are committed, and stand for the run itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from costs import Cost
from numpy.typing import NDArray

from edgekd.errors import ArtefactError
from edgekd.files import pretty_json, write_atomically
from edgekd.metrics import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    macro_auroc,
    macro_f1,
    sensitivity,
    softmax,
)
from edgekd.metrics.classification import area_under_roc

__all__ = [
    "Data",
    "Judged",
    "Network",
    "Record",
    "Scores",
    "Taught",
    "class_auroc",
    "read_judged",
    "read_record",
    "scores_of",
    "write_record",
]

RESULTS = Path(__file__).resolve().parent / "results"
_SUMMED = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "ece")


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Data(_Part, frozen=True, kw_only=True):
    """The images.

    Attributes:
        name: Name of the data set.
        classes: Class names in the order of the logits.
        images: Images by part.
        split_sha256: Hash of the list of images, labels and parts.
        content_sha256: Hash of the image files.
    """

    name: str
    classes: tuple[str, ...]
    images: dict[str, int]
    split_sha256: str
    content_sha256: str


class Network(_Part, frozen=True, kw_only=True):
    """A network, or the networks of an average together.

    Attributes:
        arch: Name in timm; of several with `+`.
        image_size: S in pixels.
        params: Number of parameters.
        macs: Multiply-accumulates of one image, all views and networks of an average together.
        weights_sha256: Hash of the weights.
        pretrained_sha256: Hash of the file of initial weights; "" for a package or none.
    """

    arch: str
    image_size: int
    params: int
    macs: int
    weights_sha256: str
    pretrained_sha256: str = ""


class Taught(_Part, frozen=True, kw_only=True):
    """A network that taught, or was averaged."""

    run: str
    recipe_sha256: str
    weights_sha256: str


class Scores(_Part, frozen=True, kw_only=True):
    """Metrics of one part, computed from the logits beside the record."""

    accuracy: float | None
    balanced_accuracy: float | None
    macro_f1: float | None
    macro_auroc: float | None
    ece: float | None
    sensitivity: dict[str, float | None]
    auroc: dict[str, float | None]


class Record(_Part, frozen=True, kw_only=True):
    """A finished run.

    Attributes:
        table: Name of its table.
        row: Name of its row.
        seed: Its seed.
        recipe_sha256: Hash of all that it depends on besides images.
        data: The images.
        recipe: The recipe, without paths.
        network: The network.
        method: Name of the method; "" for an average.
        teachers: What taught it, or was averaged.
        epochs: Epochs trained; 0 for an average.
        best_epoch: The epoch whose weights were kept.
        precision: Precision of the training.
        metrics: Metrics by part.
        cost: What it cost, teachers not counted. The outputs of a cached teacher are in the cost
            of the run that computed them.
        versions: Versions of edgekd and of the libraries that trained it.
        revision: Revision of edgekd's checkout.
        same_as: The record of another table that this one was copied from; "" for a run of its own.
        format_version: Version of this format.
    """

    table: str
    row: str
    seed: int
    recipe_sha256: str
    data: Data
    recipe: dict[str, Any]
    network: Network
    method: str
    teachers: tuple[Taught, ...]
    epochs: int
    best_epoch: int
    precision: str
    metrics: dict[str, Scores]
    cost: Cost
    versions: dict[str, str]
    revision: str | None
    same_as: str = ""
    format_version: int = 1

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.row}-seed{self.seed}"


class Judged(_Part, frozen=True, kw_only=True):
    """Logits of one part, with labels and groups but without names of images or lesions.

    Attributes:
        logits: float32 [N, K], as they were kept in float16.
        labels: Class indices [N].
        groups: Number of each image's lesion [N].
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]

    @classmethod
    def of(cls, logits: Any, labels: Any, groups: Any) -> Judged:
        """Logits rounded to what is kept, so that metrics can be computed again from the file."""
        rounded = np.asarray(logits, np.float16).astype(np.float32)
        return cls(
            logits=rounded, labels=np.asarray(labels, np.int64), groups=np.asarray(groups, np.int64)
        )


def scores_of(judged: Judged, classes: tuple[str, ...]) -> Scores:
    """All metrics of one part."""
    logits, labels = judged.logits, judged.labels
    of_each = sensitivity(confusion_matrix(logits, labels))
    return Scores(
        accuracy=accuracy(logits, labels),
        balanced_accuracy=balanced_accuracy(logits, labels),
        macro_f1=macro_f1(logits, labels),
        macro_auroc=macro_auroc(logits, labels),
        ece=expected_calibration_error(logits, labels),
        sensitivity=dict(zip(classes, of_each, strict=True)),
        auroc={name: class_auroc(judged, k) for k, name in enumerate(classes)},
    )


def class_auroc(judged: Judged, index: int) -> float | None:
    """Area under the ROC curve of one class against the rest; None without both kinds of images."""
    positive = judged.labels == index
    if not 0 < np.count_nonzero(positive) < positive.size:
        return None
    probabilities = softmax(judged.logits)[:, index]
    return float(area_under_roc(probabilities, positive, np.ones((1, positive.size)))[0])


def write_record(folder: Path, record: Record, judged: dict[str, Judged]) -> Path:
    """Write the logits, then the record; returns the record's file."""
    arrays = {
        f"{part}_{name}": array
        for part, each in judged.items()
        for name, array in _stored(each).items()
    }
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    place = folder / record.table
    place.mkdir(parents=True, exist_ok=True)
    write_atomically(place / f"{record.name}.npz", content.getvalue())
    write_atomically(place / f"{record.name}.json", pretty_json(record))
    return place / f"{record.name}.json"


def _stored(judged: Judged) -> dict[str, NDArray[Any]]:
    return {
        "logits": judged.logits.astype(np.float16),
        "labels": judged.labels.astype(np.uint8),
        "groups": judged.groups.astype(np.int32),
    }


def read_record(folder: Path, table: str, name: str) -> Record | None:
    """The record of a run; None without one.

    Raises:
        ArtefactError: It is damaged.
    """
    file = folder / table / f"{name}.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ArtefactError(f"{file} is damaged: {error}", "restore it, or remove it") from error


def read_judged(folder: Path, record: Record, part: str) -> Judged:
    """The logits of a record for one part.

    Raises:
        ArtefactError: The file is missing, damaged, or does not have the part.
    """
    file = folder / record.table / f"{record.name}.npz"
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
            return Judged.of(*(arrays[f"{part}_{name}"] for name in ("logits", "labels", "groups")))
    except (OSError, ValueError, KeyError, EOFError) as error:
        message = f"{file} does not hold the {part} logits of its record"
        raise ArtefactError(message, "restore it, or remove the record") from error
