"""Teachers and students: timm networks, their pretrained starts, their checkpoints."""

from edgekd.models.card import DataCard, ModelCard, TrainingCard
from edgekd.models.checkpoint import Checkpoint, load_checkpoint, read_card, save_checkpoint
from edgekd.models.network import (
    BuiltNetwork,
    build_network,
    count_macs,
    count_params,
    create_network,
)
from edgekd.models.normalised import NormalisedNetwork, logits_of, pixels_of

__all__ = [
    "BuiltNetwork",
    "Checkpoint",
    "DataCard",
    "ModelCard",
    "NormalisedNetwork",
    "TrainingCard",
    "build_network",
    "count_macs",
    "count_params",
    "create_network",
    "load_checkpoint",
    "logits_of",
    "pixels_of",
    "read_card",
    "save_checkpoint",
]
