"""Contrast guided by classes, and relations to class centroids: Xing, Hou, Li, Yuan, Li, Meng
2021, "Categorical Relation-Preserving Contrastive Knowledge Distillation for Medical Image
Classification" (MICCAI; arXiv 2107.03225).

Both terms use unit vectors [B, E] that a linear layer computes from the pooled features, and banks
[N, E] with one such vector for each training image.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.hinton2015 import softened_kl
from edgekd.distill.losses.precision import full_precision

__all__ = ["category_relation", "class_centroids", "contrast_scores", "noise_contrast"]

TEMPERATURE = 0.07
_LEAST = 1e-7  # added to the noise's share, as in the released code


@full_precision
def contrast_scores(
    anchors: Tensor, bank: Tensor, drawn: Tensor, temperature: float = TEMPERATURE
) -> Tensor:
    """exp(anchor · bank[j] / τ) of each anchor and the rows j that were drawn for it.

    Products with the whole bank are cheaper than copies of thousands of rows for each anchor.

    Args:
        anchors: Unit vectors [B, E].
        bank: Unit vectors [N, E] of the other network; no gradient flows to them.
        drawn: Rows of the bank [B, P + Q], positives first.
        temperature: τ.

    Returns:
        [B, P + Q], float32 at least: at τ = 0.07 half precision would leave two digits.
    """
    products = anchors @ bank.detach().T
    return (products.gather(1, drawn) / temperature).exp()


@full_precision
def noise_contrast(scores: Tensor, positives: int, samples: int) -> Tensor:
    """Noise-contrastive loss of positives against negatives (class-guided contrast, one side).

    With c = Q/N, the share of noise: the mean over the batch of
    −(1/P) Σ log(u/(u + c)) over the positives − Σ log(c/(u + c)) over the negatives. With one
    positive, the anchor itself, it is the loss of Tian et al. 2020, "Contrastive Representation
    Distillation" (ICLR).

    Args:
        scores: u, `contrast_scores` over their constant Z [B, P + Q].
        positives: P, the first columns.
        samples: N, rows of the bank.

    Returns:
        A scalar.
    """
    noise = (scores.shape[1] - positives) / samples
    total = scores + noise + _LEAST
    accepted = (scores[:, :positives] / total[:, :positives]).log().mean(dim=1)
    rejected = (noise / total[:, positives:]).log().sum(dim=1)
    return -(accepted + rejected).mean()


@full_precision
def class_centroids(bank: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mean of each class's rows after a ReLU, normalised to unit length, [K, E].

    The centroid of a class without rows is zero.

    Args:
        bank: Unit vectors [N, E].
        labels: Their classes [N].
        classes: K.
    """
    sums = bank.new_zeros(classes, bank.shape[1]).index_add_(0, labels, bank.relu())
    counts = bank.new_zeros(classes).index_add_(0, labels, bank.new_ones(len(labels)))
    return F.normalize(sums / counts.clamp(min=1.0)[:, None], dim=1)


@full_precision
def category_relation(
    student: Tensor,
    teacher: Tensor,
    student_centroids: Tensor,
    teacher_centroids: Tensor,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """KL between the teacher's and the student's similarities to the class centroids.

    The mean over the batch of KL(σ(t·A_tᵀ/τ) ‖ σ(s·A_sᵀ/τ)); unlike with softened outputs, no
    factor τ². Gradient flows to the student's vectors alone.

    Args:
        student: Unit vectors [B, E].
        teacher: Unit vectors [B, E].
        student_centroids: `class_centroids` of the student's bank [K, E].
        teacher_centroids: `class_centroids` of the teacher's bank [K, E].
        temperature: τ.

    Returns:
        A scalar, 0 where both have the same similarities.
    """
    similarity = student @ student_centroids.detach().T
    target = teacher.detach() @ teacher_centroids.detach().T
    return softened_kl(similarity, target, temperature) / temperature**2
