"""Synthesis without data: Fang et al. 2022, "Up to 100× Faster Data-Free Knowledge Distillation"
(AAAI; arXiv 2112.06253), FastDFKD.

The statistics of batch norm are those of Yin et al. 2020, "Dreaming to Distill" (CVPR), but their
distances are not squared, as in FastDFKD's released code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["agreeing_divergence", "batch_statistics", "class_imbalance", "statistics_distance"]


@full_precision
def batch_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel over a batch.

    Args:
        features: [B, C, …].

    Returns:
        Two tensors [C].
    """
    rows = features.transpose(0, 1).flatten(1)
    return rows.mean(dim=1), rows.var(dim=1, unbiased=False)


@full_precision
def statistics_distance(
    mean: Tensor, variance: Tensor, running_mean: Tensor, running_variance: Tensor
) -> Tensor:
    """‖μ̂ − μ‖₂ + ‖v̂ − v‖₂ of one layer, a scalar; its gradient is 0 where both are 0.

    Args:
        mean: Mean of each channel of the images [C].
        variance: Their variance [C].
        running_mean: What the layer remembers of its training [C].
        running_variance: The same for the variance [C].
    """
    of_mean: Tensor = torch.linalg.vector_norm(mean - running_mean)
    of_variance: Tensor = torch.linalg.vector_norm(variance - running_variance)
    return of_mean + of_variance


@full_precision
def agreeing_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the batch of KL(teacher ‖ student) where both choose the same class, 0 elsewhere.

    A generator that raises it makes images on which the student is to learn more. Gradient flows to
    both, since both see the generator's images.

    Args:
        student: Logits [B, K].
        teacher: Logits [B, K].
    """
    agree = student.argmax(dim=1) == teacher.argmax(dim=1)
    p, q = teacher.log_softmax(dim=1), student.log_softmax(dim=1)
    rows = (p.exp() * (p - q)).sum(dim=1)
    return (rows * agree).mean()


@full_precision
def class_imbalance(logits: Tensor) -> Tensor:
    """Σ p̄ log p̄ of the mean probabilities of a batch: −log K where all classes are equal.

    Source: Chen et al. 2019, "Data-Free Learning of Student Networks" (ICCV), equation 6.

    Args:
        logits: [B, K].
    """
    mean = logits.softmax(dim=1).mean(dim=0)
    negative_entropy: Tensor = torch.special.xlogy(mean, mean).sum()
    return negative_entropy
