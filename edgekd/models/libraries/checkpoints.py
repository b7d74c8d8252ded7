"""Trained networks as they are, in the place of an architecture."""

from __future__ import annotations

from typing import Any

from torch import nn

from edgekd.errors import InputError
from edgekd.models.own_size import OwnSize

__all__ = ["create"]


def create(name: str, classes: int, options: dict[str, Any]) -> nn.Module:
    """The network of a checkpoint, which sees images at its own size; see `Library.create`.

    Args:
        name: Folder of the checkpoint.
        classes: Number of outputs that it must have.
        options: None.

    Raises:
        InputError: There is no checkpoint, or it has another number of outputs.
        ArtefactError: It is damaged.
    """
    from edgekd.models.checkpoint import load_checkpoint  # which itself makes networks

    checkpoint = load_checkpoint(name)
    if checkpoint.card.outputs != classes or options:
        message = f"{name} has {checkpoint.card.outputs} outputs, where {classes} are needed"
        classes_of = ", ".join(checkpoint.card.classes)
        raise InputError(message, f"its classes are {classes_of}: import it again with --map")
    return OwnSize(checkpoint.network, checkpoint.card.image_size)
