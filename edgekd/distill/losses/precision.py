"""Differences of nearly equal numbers, kept out of low precision."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["at_least_float32", "narrowed", "widened"]


def widened(features: Tensor) -> Tensor:
    """`features` in float64, which autocast leaves alone; float32 on a device that lacks it.

    Relations between samples are differences of inner products: under bf16 autocast, and for
    features that lie close together in float32 too, nothing would be left of them.
    """
    return features.float() if features.device.type == "mps" else features.double()


def narrowed(loss: Tensor, like: Tensor) -> Tensor:
    """`loss` in the precision of `like`, float32 at least."""
    return loss.to(torch.promote_types(like.dtype, torch.float32))


def at_least_float32(features: Tensor) -> Tensor:
    """`features` out of half precision, in which squares overflow."""
    return features.to(torch.promote_types(features.dtype, torch.float32))
