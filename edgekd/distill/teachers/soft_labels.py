"""Soft labels in a file: what a teacher answered to some images, without the teacher.

A safetensors file, which other programs read too:

    logits    float32 [n, K, …]: outputs for K views of each of n images; no temperature is applied
    pooled    float32 [n, K, D]: the pooled vectors; only where they were kept
    indices   int64 [n]: positions of the images in the data set
    names     uint8: names of the images, UTF-8, one a line
    metadata  `edgekd`: `SoftLabelFacts` as JSON
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgekd.errors import ArtefactError

__all__ = ["SoftLabelFacts", "SoftLabels", "read_soft_labels", "write_soft_labels"]

_VERSION = "1.0"
_KEY = "edgekd"


class SoftLabelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers of a file of soft labels are.

    Attributes:
        task: Name of the task.
        classes: Class names.
        outputs: Names of the logits, in their order: the classes, or subclasses.
        temperature: Null: the logits are those of the network.
        rows: What the first two dimensions are.
        views: Views of each image: number, seed, augmentation, side in pixels; null where the only
            view is the image itself.
        image_size: S, the side of what the teacher saw, in pixels.
        resize: Name of the preprocessing rule.
        teacher: Hashes, weights and settings of the teacher.
        data: Name of the data set, and hash of its image files.
    """

    format_version: str = _VERSION
    task: str
    classes: tuple[str, ...]
    outputs: tuple[str, ...]
    temperature: float | None = None
    rows: tuple[str, str] = ("image", "view")
    views: dict[str, Any] | None
    image_size: int
    resize: str
    teacher: dict[str, Any]
    data: dict[str, str]


@dataclass(frozen=True)
class SoftLabels:
    """The content of a file of soft labels.

    Attributes:
        facts: What the numbers are.
        logits: float32 [n, K, …].
        indices: Positions of the images in the data set, int64 [n].
        names: Names of the images [n].
        pooled: Pooled vectors, float32 [n, K, D], or None.
    """

    facts: SoftLabelFacts
    logits: Tensor
    indices: Tensor
    names: tuple[str, ...]
    pooled: Tensor | None = None


def write_soft_labels(file: Path, labels: SoftLabels) -> None:
    """Write a file of soft labels; the caller makes sure that it appears whole."""
    tensors = {"logits": labels.logits, "indices": labels.indices, "names": _bytes(labels.names)}
    if labels.pooled is not None:
        tensors["pooled"] = labels.pooled
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(whole, file, metadata={_KEY: msgspec.json.encode(labels.facts).decode()})


def read_soft_labels(file: Path) -> SoftLabels:
    """Read a file of soft labels.

    Raises:
        ArtefactError: It is damaged, holds something else, or is of another major version.
    """
    try:
        with safe_open(file, "pt") as stored:
            about = (stored.metadata() or {})[_KEY]
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        facts = msgspec.json.decode(about, type=SoftLabelFacts)
        names = tuple(bytes(tensors["names"].numpy()).decode().splitlines())
        labels = SoftLabels(
            facts, tensors["logits"], tensors["indices"], names, tensors.get("pooled")
        )
    except (SafetensorError, OSError, KeyError, ValueError, msgspec.DecodeError) as error:
        message = f"{file} holds no soft labels, or is damaged: {error}"
        raise ArtefactError(message, "make it again") from error
    if facts.format_version.split(".")[0] != _VERSION.split(".")[0]:
        message = f"{file} has format version {facts.format_version}; this edgekd reads {_VERSION}"
        raise ArtefactError(message, "install the edgekd that wrote it")
    if not len(labels.logits) == len(labels.indices) == len(names):
        raise ArtefactError(f"{file} is damaged: its rows do not match", "make it again")
    return labels


def _bytes(names: tuple[str, ...]) -> Tensor:
    return torch.frombuffer(bytearray("\n".join(names).encode()), dtype=torch.uint8)
