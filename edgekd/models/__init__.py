"""Teachers and students: networks, their pretrained weights, their checkpoints, and imports.

Names that need PyTorch are imported on first use: a bundle is evaluated on devices without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgekd.models.card import DataCard, FinishCard, ModelCard, TrainingCard, read_card

if TYPE_CHECKING:
    from edgekd.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from edgekd.models.network import (
        BuiltNetwork,
        build_network,
        classifier_of,
        count_macs,
        count_params,
        create_network,
        section_of,
    )
    from edgekd.models.normalised import NormalisedNetwork, logits_of, pixels_of
    from edgekd.models.trial import check_model, unreached_parameters

__all__ = [
    "BuiltNetwork",
    "Checkpoint",
    "DataCard",
    "FinishCard",
    "ModelCard",
    "NormalisedNetwork",
    "TrainingCard",
    "build_network",
    "check_model",
    "classifier_of",
    "count_macs",
    "count_params",
    "create_network",
    "load_checkpoint",
    "logits_of",
    "pixels_of",
    "read_card",
    "save_checkpoint",
    "section_of",
    "unreached_parameters",
]

_HOMES = {
    "checkpoint": ("Checkpoint", "load_checkpoint", "save_checkpoint"),
    "network": (
        "BuiltNetwork",
        "build_network",
        "classifier_of",
        "count_macs",
        "count_params",
        "create_network",
        "section_of",
    ),
    "normalised": ("NormalisedNetwork", "logits_of", "pixels_of"),
    "trial": ("check_model", "unreached_parameters"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"edgekd.models.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
