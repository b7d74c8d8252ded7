"""Losses: pure functions of tensors, one file per paper."""

from edgekd.distill.losses.cross_entropy import class_weights, weighted_cross_entropy
from edgekd.distill.losses.hinton2015 import softened_kl
from edgekd.distill.losses.park2019 import angle_relation, distance_relation
from edgekd.distill.losses.romero2015 import hint
from edgekd.distill.losses.wang2023 import (
    channel_relation,
    instance_contrast,
    kept_rows,
    similarity_transfer,
    sources_of,
    transformed_kl,
    view_similarity,
)
from edgekd.distill.losses.zagoruyko2017 import attention_map, attention_transfer
from edgekd.distill.losses.zhao2022 import non_target_kl, target_kl

__all__ = [
    "angle_relation",
    "attention_map",
    "attention_transfer",
    "channel_relation",
    "class_weights",
    "distance_relation",
    "hint",
    "instance_contrast",
    "kept_rows",
    "non_target_kl",
    "similarity_transfer",
    "softened_kl",
    "sources_of",
    "target_kl",
    "transformed_kl",
    "view_similarity",
    "weighted_cross_entropy",
]
