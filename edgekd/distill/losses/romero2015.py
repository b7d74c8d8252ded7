"""Hints: Romero et al. 2015, "FitNets: Hints for Thin Deep Nets" (ICLR; arXiv 1412.6550)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.precision import full_precision
from edgekd.errors import InputError

__all__ = ["hint"]


@full_precision
def hint(student: Tensor, teacher: Tensor) -> Tensor:
    """½ · mean squared difference between the adapted map and the teacher's (equation 3).

    The paper sums over the entries of a map; here their mean is taken, so that the learning rate
    does not depend on the size of the map.

    Args:
        student: Map [B, C, H, W], adapted to the teacher's channels.
        teacher: Map [B, C, H, W]; no gradient flows to it.

    Raises:
        InputError: The shapes differ.
    """
    if student.shape != teacher.shape:
        shapes = f"{tuple(student.shape)} and {tuple(teacher.shape)}"
        message = f"a hint needs two maps of one shape, not {shapes}"
        raise InputError(message, "train both at one image size, without `fit.image_sizes`")
    return F.mse_loss(student, teacher.detach()) / 2.0
