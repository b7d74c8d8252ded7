"""Libraries that networks are taken from: one module for each, which makes a network by its name.

The architecture of a recipe or checkpoint is `NAME` (timm), `torchvision:NAME`,
`transformers:CLASS`, `edgekd:NAME`, or `package.module:Class` for a class of one's own. A trained
network as a whole is `checkpoint:FOLDER`, which no recipe may say: it names `checkpoint` or
`pretrained`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from torch import nn

__all__ = ["CHECKPOINT", "LIBRARIES", "Library", "Named", "is_own_class", "library_of"]

CHECKPOINT = "checkpoint"

LIBRARIES: Mapping[str, str] = {
    "timm": "edgekd.models.libraries.timm_networks",
    CHECKPOINT: "edgekd.models.libraries.checkpoints",
    "edgekd": "edgekd.models.libraries.own_networks",
    "torchvision": "edgekd.models.libraries.torchvision_networks",
    "transformers": "edgekd.models.libraries.transformers_networks",
}
"""The module of each library; any other name before a colon is a module of the user's."""

_OWN_CLASSES = "edgekd.models.libraries.user_classes"


class Library(Protocol):
    """What a library's module offers."""

    def create(self, name: str, classes: int, options: dict[str, Any]) -> nn.Module:
        """A network with random weights.

        Args:
            name: Its name in the library.
            classes: Number of outputs.
            options: Further arguments of its constructor.

        Raises:
            InputError: There is no such architecture, or it refuses the options.
        """


@dataclass(frozen=True)
class Named:
    """An architecture.

    Attributes:
        library: The module that makes it.
        name: Its name there.
    """

    library: Library
    name: str


def library_of(arch: str) -> Named:
    """The library of an architecture, and its name there."""
    if is_own_class(arch):
        return Named(cast(Library, import_module(_OWN_CLASSES)), arch)
    prefix, colon, name = arch.partition(":")
    return Named(_module(prefix), name) if colon else Named(_module("timm"), arch)


def is_own_class(arch: str) -> bool:
    """Whether an architecture is a class of the user's, whose code has to be imported."""
    prefix, colon, _ = arch.partition(":")
    return bool(colon) and prefix not in LIBRARIES


def _module(library: str) -> Library:
    return cast(Library, import_module(LIBRARIES[library]))
