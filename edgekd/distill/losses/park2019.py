"""Relations between samples: Park, Kim, Lu, Cho 2019, "Relational Knowledge Distillation" (CVPR).

Both losses are invariant to translation, rotation and scale of the features [B, D], so that the
widths of student and teacher may differ.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.precision import full_precision, widened
from edgekd.errors import InputError

__all__ = ["angle_relation", "distance_relation"]

_LEAST_SQUARE = 1e-12  # lower bound of a squared distance, as in the released code
_COINCIDE = 1e-12  # squared distance, relative to the spread, below which two points are one


@full_precision
def distance_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Smooth-L1 between the pairwise distances, each side divided by its mean (equation 6).

    The mean of a side is over its strictly positive entries. A batch of one has no pairs and gives
    0; in a batch of identical features all distances are at the clamp, and so equal.

    Args:
        student: Features [B, D].
        teacher: Features [B, D′]; no gradient flows to them.

    Returns:
        A scalar, the mean over all B² entries.

    Raises:
        InputError: The batch sizes differ.
    """
    _refuse_mismatch(student, teacher)
    loss = F.smooth_l1_loss(_distances(student), _distances(teacher.detach()))
    return loss.to(student.dtype)


@full_precision
def angle_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """Smooth-L1 between the cosines of the angles at j of all triples (equation 8).

    The cosines are computed from inner products, B³ numbers for any D, without a B × B × D tensor
    of differences. The direction between two coinciding features is the zero vector.

    Args:
        student: Features [B, D].
        teacher: Features [B, D′]; no gradient flows to them.

    Returns:
        A scalar, the mean over all B³ entries.

    Raises:
        InputError: The batch sizes differ.
    """
    _refuse_mismatch(student, teacher)
    loss = F.smooth_l1_loss(_cosines(student), _cosines(teacher.detach()))
    return loss.to(student.dtype)


def _refuse_mismatch(student: Tensor, teacher: Tensor) -> None:
    if student.ndim != 2 or teacher.ndim != 2 or len(student) != len(teacher):
        shapes = f"{tuple(student.shape)} and {tuple(teacher.shape)}"
        message = f"relations need features [B, D] of the same samples, not {shapes}"
        raise InputError(message, "give the pooled features of one batch")


def _gram(features: Tensor) -> Tensor:
    """Inner products [B, B] after subtraction of the batch's mean, which reduces rounding."""
    wide = widened(features)
    centred = wide - wide.mean(dim=0).detach()  # no gradient: distances do not depend on it
    return centred @ centred.T


def _squared_distances(gram: Tensor) -> Tensor:
    norms = gram.diagonal()
    return norms[:, None] + norms[None, :] - 2.0 * gram


def _distances(features: Tensor) -> Tensor:
    """Pairwise distances [B, B] over the mean of the positive ones, zero on the diagonal."""
    squared = _squared_distances(_gram(features)).clamp(min=_LEAST_SQUARE)
    off_diagonal = 1.0 - torch.eye(len(squared), dtype=squared.dtype, device=squared.device)
    distances = squared.sqrt() * off_diagonal
    pairs = max(len(squared) * (len(squared) - 1), 1)  # all pairs: the clamp keeps them positive
    mean = distances.sum() / pairs
    return distances / torch.where(mean > 0, mean, torch.ones_like(mean))


def _cosines(features: Tensor) -> Tensor:
    """Cosine [i, j, k] of the angle at i between the directions to j and to k.

    With g the inner products, (v_j − v_i)·(v_k − v_i) = g_jk − g_ij − g_ik + g_ii.
    """
    gram = _gram(features)
    squared = _squared_distances(gram)
    apart = squared > _COINCIDE * gram.diagonal().mean()
    inverse = torch.where(apart, squared.where(apart, torch.ones_like(squared)).rsqrt(), 0.0)
    to_anchor = gram - gram.diagonal()[:, None] / 2.0  # [i, j]
    products = gram[None, :, :] - to_anchor[:, :, None] - to_anchor[:, None, :]
    return products * (inverse[:, :, None] * inverse[:, None, :])
