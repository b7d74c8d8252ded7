"""Classifiers of torchvision."""

from __future__ import annotations

import difflib
from typing import Any

from torch import nn
from torchvision import models

from edgekd.errors import InputError
from edgekd.models.libraries.options import refuse_misplaced

__all__ = ["create", "names"]

_ELSEWHERE = {
    "num_classes": "the data set says how many classes there are",
    "weights": "`pretrained` beside `options` names the file of the weights",
    "weights_backbone": "`pretrained` beside `options` names the file of the weights",
    "progress": "nothing is downloaded",
}
"""Arguments of torchvision's constructors that are set elsewhere, and where."""


def names() -> list[str]:
    """The classifiers that torchvision has."""
    return list(models.list_models(module=models))


def create(name: str, classes: int, options: dict[str, Any]) -> nn.Module:
    """See `Library.create`; the nearest names are suggested."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see torchvision.models"
        raise InputError(f"torchvision has no architecture {name!r}", hint)
    refuse_misplaced(name, options, _ELSEWHERE)
    try:
        network: nn.Module = models.get_model(name, weights=None, num_classes=classes, **options)
    except Exception as error:  # its constructors raise exceptions of many types
        why = " ".join(str(error).split()) or type(error).__name__
        message = f"torchvision's {name} cannot be made with the options {options}: {why}"
        raise InputError(message, "correct `options` in the recipe") from error
    return network
