"""What an import is given, and what it makes of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import nn

from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.models.card import Channels, Gives, Interpolation, Layout, Resize
from edgekd.models.foreign.base import InputShape

__all__ = ["ImportRequest", "Preprocessing", "ReadModel"]


@dataclass(frozen=True)
class Preprocessing:
    """How a network is shown its images, as far as something says it; None where nothing does.

    Attributes:
        size: S, the side of its square input in pixels.
        mean: Mean of each channel in RGB, of pixels scaled to 0…1.
        std: Standard deviation of each channel in RGB, of pixels scaled to 0…1.
        resize: See `InputCard`.
        fraction: See `InputCard`.
        interpolation: See `InputCard`.
        channels: See `InputCard`.
        layout: See `InputCard`.
        origin: What says it, for people.
    """

    size: int | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize: Resize | None = None
    fraction: float | None = None
    interpolation: Interpolation | None = None
    channels: Channels | None = None
    layout: Layout | None = None
    origin: str = ""


@dataclass(frozen=True)
class ImportRequest:
    """A model to import.

    Attributes:
        source: Its file or folder.
        classes: Names of its outputs in order; None where the file has them.
        arch: Its architecture, where the user names it.
        options: Further arguments of the architecture's constructor.
        weights: Key of the weights in the file, or their prefix there, where the user names it.
        trust_code: Whether the user trusts the code in the file, and that of the architecture.
        role: What it is to be.
        task: What it predicts.
        preprocessing: What the user says about its preprocessing.
        gives: What its outputs are, where the user says it.
        mapping: Class of each of its names, "" to drop one; names that are left out stay.
    """

    source: Path
    classes: tuple[str, ...] | None = None
    arch: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    trust_code: bool = False
    role: Literal["teacher", "student"] = "teacher"
    task: str = DEFAULT_TASK
    preprocessing: Preprocessing = Preprocessing()
    gives: Gives | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadModel:
    """A model as it was read from its file.

    Attributes:
        kind: What it was read from, for people.
        network: The network in evaluation mode.
        arch: Its architecture, as a card names it.
        options: Further arguments of the architecture's constructor.
        file: The file of the weights.
        names: Names of its outputs, where the file has them.
        preprocessing: What the file says of its preprocessing, then what is usual for its
            architecture.
        shape: The images that a network in a file of another program takes.
        notes: Facts of the file, for people.
    """

    kind: str
    network: nn.Module
    arch: str
    options: dict[str, Any]
    file: Path
    names: tuple[str, ...] | None = None
    preprocessing: tuple[Preprocessing, ...] = ()
    shape: InputShape | None = None
    notes: tuple[str, ...] = ()
