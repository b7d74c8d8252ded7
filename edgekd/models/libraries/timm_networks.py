"""Networks of timm."""

from __future__ import annotations

import difflib
from typing import Any

from torch import nn

from edgekd.errors import InputError
from edgekd.hidden_modules import without_modules
from edgekd.models.libraries.options import refuse_misplaced

with without_modules("wandb"):  # timm's own training script logs to it; a second of each process
    import timm

__all__ = ["ELSEWHERE", "create", "timm"]

ELSEWHERE = {
    "num_classes": "the data set says how many classes there are",
    "pretrained": "`pretrained` stands beside `options`",
    "checkpoint_path": "`pretrained` beside `options` names the file of the weights",
    "pretrained_cfg": "`pretrained`, `mean` and `std` stand beside `options`",
    "pretrained_cfg_overlay": "`pretrained`, `mean` and `std` stand beside `options`",
    "cache_dir": "`pretrained` beside `options` names the file of the weights",
}
"""Arguments of timm's constructor that a recipe sets elsewhere, and where."""


def create(name: str, classes: int, options: dict[str, Any]) -> nn.Module:
    """See `Library.create`; the nearest names are suggested."""
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see timm.list_models()"
        raise InputError(f"timm has no architecture {name!r}", hint)
    refuse_misplaced(name, options, ELSEWHERE)
    try:
        network: nn.Module = timm.create_model(name, num_classes=classes, **options)
    except Exception as error:  # timm's constructors raise exceptions of many types
        why = " ".join(str(error).split()) or type(error).__name__
        message = f"{name} cannot be made with the options {options}: {why}"
        raise InputError(message, "correct `options` in the recipe") from error
    return network
