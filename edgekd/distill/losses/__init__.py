"""Losses: pure functions of tensors, one file per paper."""

from edgekd.distill.losses.amara2022 import difficulty_of, joined_strata, strata_of
from edgekd.distill.losses.binary_cross_entropy import (
    positive_weights,
    weighted_binary_cross_entropy,
)
from edgekd.distill.losses.chen2020 import view_contrast
from edgekd.distill.losses.cross_entropy import class_weights, weighted_cross_entropy
from edgekd.distill.losses.fang2022 import (
    agreeing_divergence,
    batch_statistics,
    class_imbalance,
    statistics_distance,
)
from edgekd.distill.losses.hinton2015 import softened_kl
from edgekd.distill.losses.li2023 import bounded_temperature, reversal, reversed_gradient
from edgekd.distill.losses.lin2017 import binary_focal_loss, focal_loss
from edgekd.distill.losses.liu2022 import image_norm, soft_cross_entropy, total_variation
from edgekd.distill.losses.menon2021 import adjusted_logits, class_log_prior, finding_log_odds
from edgekd.distill.losses.park2019 import angle_relation, distance_relation
from edgekd.distill.losses.romero2015 import hint
from edgekd.distill.losses.sivasubramanian2023 import mixed_weights, virtual_logits
from edgekd.distill.losses.tarvainen2017 import average_decay, ramp_up
from edgekd.distill.losses.wang2023 import (
    channel_relation,
    instance_contrast,
    kept_rows,
    similarity_transfer,
    sources_of,
    transformed_kl,
    view_similarity,
)
from edgekd.distill.losses.xie2020 import sharpened_consistency
from edgekd.distill.losses.xing2021 import (
    category_relation,
    class_centroids,
    contrast_scores,
    noise_contrast,
)
from edgekd.distill.losses.yang2023 import softened_binary_kl
from edgekd.distill.losses.yao2022 import (
    multi_weighted_binary_focal_loss,
    multi_weighted_focal_loss,
)
from edgekd.distill.losses.zagoruyko2017 import attention_map, attention_transfer
from edgekd.distill.losses.zhang2023 import (
    balanced_teacher,
    balancing_class_weights,
    balancing_finding_weights,
)
from edgekd.distill.losses.zhao2022 import non_target_kl, target_kl

__all__ = [
    "adjusted_logits",
    "agreeing_divergence",
    "angle_relation",
    "attention_map",
    "attention_transfer",
    "average_decay",
    "balanced_teacher",
    "balancing_class_weights",
    "balancing_finding_weights",
    "batch_statistics",
    "binary_focal_loss",
    "bounded_temperature",
    "category_relation",
    "channel_relation",
    "class_centroids",
    "class_imbalance",
    "class_log_prior",
    "class_weights",
    "contrast_scores",
    "difficulty_of",
    "distance_relation",
    "finding_log_odds",
    "focal_loss",
    "hint",
    "image_norm",
    "instance_contrast",
    "joined_strata",
    "kept_rows",
    "mixed_weights",
    "multi_weighted_binary_focal_loss",
    "multi_weighted_focal_loss",
    "noise_contrast",
    "non_target_kl",
    "positive_weights",
    "ramp_up",
    "reversal",
    "reversed_gradient",
    "sharpened_consistency",
    "similarity_transfer",
    "soft_cross_entropy",
    "softened_binary_kl",
    "softened_kl",
    "sources_of",
    "statistics_distance",
    "strata_of",
    "target_kl",
    "total_variation",
    "transformed_kl",
    "view_contrast",
    "view_similarity",
    "virtual_logits",
    "weighted_binary_cross_entropy",
    "weighted_cross_entropy",
]
