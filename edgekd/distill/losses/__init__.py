"""Losses: pure functions of tensors, one file per paper."""

from edgekd.distill.losses.cross_entropy import class_weights, weighted_cross_entropy
from edgekd.distill.losses.hinton2015 import softened_kl

__all__ = ["class_weights", "softened_kl", "weighted_cross_entropy"]
