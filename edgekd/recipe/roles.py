"""The sections `teacher` and `student`."""

from __future__ import annotations

from typing import Any

import msgspec

from edgekd.recipe.fit import FitSection
from edgekd.recipe.section import Rate, Section

__all__ = ["ModelSection", "RoleSection"]


class ModelSection(Section, frozen=True, kw_only=True):
    """A network.

    Attributes:
        arch: Name of the architecture in timm.
        pretrained: `none`, `package`, `hub`, or the path of a safetensors file.
        options: Further arguments of timm's constructor.
        mean: Mean of each channel that the pretrained weights expect; by default their source's.
        std: Standard deviation of each channel that they expect; by default their source's.
    """

    arch: str
    pretrained: str = "none"
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    mean: tuple[float, float, float] | None = None
    std: tuple[Rate, Rate, Rate] | None = None


class RoleSection(Section, frozen=True, kw_only=True):
    """A teacher or a student: a network and its training, or an existing checkpoint."""

    model: ModelSection | None = None
    fit: FitSection = FitSection()
    checkpoint: str | None = None
