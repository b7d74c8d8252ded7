"""Balanced distillation: Zhang, Chen, Hu, Peng 2023, "Balanced knowledge distillation for
long-tailed learning" (Neurocomputing 527:36; arXiv 2104.10510).

A teacher of unbalanced data believes in frequent classes. Its softened probabilities are multiplied
by class weights and normalised again; the student learns what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgekd.distill.losses.cross_entropy import POWER
from edgekd.distill.losses.cui2019 import effective_numbers
from edgekd.distill.losses.precision import full_precision
from edgekd.recipe import Balancing

__all__ = ["balanced_teacher", "balancing_class_weights", "balancing_finding_weights"]


@full_precision
def balanced_teacher(teacher: Tensor, weights: Tensor, temperature: float | Tensor) -> Tensor:
    """Logits whose softened probabilities are the teacher's times w, normalised.

    softmax(z/T + log w) = w·p/Σ w·p, so these logits are z + T·log w. The same holds of findings,
    where the sigmoid of z/T + log w is w·p/(w·p + 1 − p). With `softened_kl` on them it is the
    distillation term of the released code, `BKDLoss`.

    Args:
        teacher: z, [B, K].
        weights: w > 0 of each class, or of each finding where it is present [K].
        temperature: T > 0: a number, or a tensor, [] or one T for each image [B].
    """
    if isinstance(temperature, Tensor) and temperature.ndim == 1:
        temperature = temperature[:, None]
    return teacher.detach() + temperature * torch.log(weights.to(teacher.dtype))


def balancing_class_weights(counts: Sequence[int], balance: Balancing) -> Tensor:
    """Weight w of each class for `balanced_teacher`, with mean 1, float32 [K].

    Args:
        counts: n, training images of each class; a class without images counts as one.
        balance: w ∝ 1, 1/√n, 1/n, or `effective`: one over the effective number of n images (Cui et
            al. 2019), as in the released code.
    """
    raw = 1.0 / _numbers(counts, balance)
    return (raw / raw.mean()).float()


def balancing_finding_weights(counts: Sequence[int], images: int, balance: Balancing) -> Tensor:
    """Weight w of each finding where it is present: absent images over present ones, [K] float32.

    Args:
        counts: Training images in which each finding is present.
        images: Training images.
        balance: As of classes; 1 for a finding that is present in no image or in all.
    """
    absent = [images - count for count in counts]
    both = torch.tensor([0 < count < images for count in counts])
    ratio = _numbers(absent, balance) / _numbers(counts, balance)
    return torch.where(both, ratio, 1.0).float()


def _numbers(counts: Sequence[int], balance: Balancing) -> Tensor:
    if balance == "effective":
        return effective_numbers(counts)
    n = torch.tensor(counts, dtype=torch.float64).clamp(min=1)
    return torch.pow(n, POWER[balance])
