"""Wang et al. 2023, "SSD-KD: A self-supervised diverse knowledge distillation method for
lightweight skin lesion classification using dermoscopic images" (Medical Image Analysis 84:102693;
arXiv 2203.11490).

The relation between channels (D-KD and SSD-KD) and the self-supervised similarity (SSD-KD). Where
paper and released code differ, the code is followed, without its numerical faults.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.hinton2015 import softened_kl
from edgekd.distill.losses.precision import full_precision, widened
from edgekd.errors import InputError

__all__ = [
    "channel_relation",
    "instance_contrast",
    "kept_rows",
    "similarity_transfer",
    "sources_of",
    "transformed_kl",
    "view_similarity",
]

_ROOT_FLOOR = 1e-6  # below it the square root is replaced by a straight line


@full_precision
def channel_relation(student: Tensor, teacher: Tensor) -> Tensor:
    """√ of the mean squared difference of the channels' Gram matrices: L_intra.

    The Gram matrix of an image is F·Fᵀ/(C·H·W) with its map F as [C, H·W]; the mean is over images
    and channel pairs, and its root is taken once. The released code's gradient is NaN where the
    matrices coincide; here the root is linear below 1e-6.

    Args:
        student: Map [B, C, H, W], adapted to the teacher's channels.
        teacher: Map [B, C, H, W]; no gradient flows to it.

    Returns:
        A scalar.

    Raises:
        InputError: The shapes differ.
    """
    if student.shape != teacher.shape or student.ndim != 4:
        shapes = f"{tuple(student.shape)} and {tuple(teacher.shape)}"
        message = f"the channel relation needs two maps [B, C, H, W] of one shape, not {shapes}"
        raise InputError(message, "train both at one image size, without `fit.image_sizes`")
    batch, channels, height, width = student.shape
    scale = float(channels * height * width) ** -0.5
    maps = (widened(features).flatten(2) * scale for features in (student, teacher.detach()))
    mean = _gram_difference(*maps) / (batch * channels**2)
    return _safe_root(mean).to(student.dtype)


def _gram_difference(a: Tensor, b: Tensor) -> Tensor:
    """Σ (A·Aᵀ − B·Bᵀ)² of maps [B, C, P].

    With more channels than positions it is computed from P × P products, since ‖A·Aᵀ‖ = ‖Aᵀ·A‖ and
    ⟨A·Aᵀ, B·Bᵀ⟩ = ‖Aᵀ·B‖²: for 2048 channels on 7×7 this takes 49/2048 of the work and memory.
    """
    _, channels, positions = a.shape
    if channels <= positions:
        return (a @ a.mT - b @ b.mT).square().sum()
    total = (a.mT @ a).square().sum() + (b.mT @ b).square().sum() - 2.0 * (a.mT @ b).square().sum()
    return total.clamp(min=0.0)


def _safe_root(value: Tensor) -> Tensor:
    steep = value > _ROOT_FLOOR**2
    root = torch.where(steep, value, torch.ones_like(value)).sqrt()
    return torch.where(steep, root, value / _ROOT_FLOOR)


@full_precision
def view_similarity(embedded: Tensor, views: int = 4) -> Tensor:
    """Cosine similarity of each transformed view to the normal view of every image.

    Args:
        embedded: Outputs of the projection head [B·views, D], image by image, the normal view
            first.
        views: Views of an image.

    Returns:
        [B·(views − 1), B].
    """
    unit = F.normalize(widened(embedded), dim=1).reshape(-1, views, embedded.shape[1])
    similarity = unit[:, 1:].flatten(0, 1) @ unit[:, 0].T
    return similarity.to(embedded.dtype)


@full_precision
def sources_of(similarity: Tensor) -> Tensor:
    """Index [R] of the image that each row of a similarity [R, B] was transformed from."""
    rows, images = similarity.shape
    return torch.arange(images, device=similarity.device).repeat_interleave(rows // images)


@full_precision
def instance_contrast(similarity: Tensor) -> Tensor:
    """Cross-entropy of matching each view to its image by raw cosines: trains the teacher's head.

    Args:
        similarity: [B·(views − 1), B] of `view_similarity`.
    """
    return F.cross_entropy(similarity, sources_of(similarity))


@full_precision
def kept_rows(scores: Tensor, answers: Tensor, ratio: float) -> Tensor:
    """The rows on which the teacher is trusted.

    Rows are sorted by the rank that the teacher gives to the right answer (a stable sort). All
    rows of rank 0 are kept, and of the others the first ⌊ratio · their number⌋.

    Args:
        scores: The teacher's [R, N].
        answers: Index of the right answer of each row [R].
        ratio: Share of the wrong rows, 0…1.

    Returns:
        Indices of the kept rows, ascending.
    """
    right = scores.gather(1, answers[:, None])
    ranks = (scores > right).sum(dim=1)
    correct = int((ranks == 0).sum())
    keep = correct + int(ratio * (len(ranks) - correct))
    order = torch.argsort(ranks, stable=True)
    return order[:keep].sort().values


@full_precision
def similarity_transfer(
    student: Tensor, teacher: Tensor, temperature: float = 0.5, ratio: float = 0.75
) -> Tensor:
    """ℓ4: τ²·KL of the rows' similarities, softened by τ, over the kept rows.

    Args:
        student: Similarity [B·(views − 1), B].
        teacher: Similarity [B·(views − 1), B]; no gradient flows to it.
        temperature: τ.
        ratio: Share of the rows kept where the teacher does not match the right image.

    Returns:
        A scalar; 0 where no row is kept.
    """
    rows = kept_rows(teacher, sources_of(teacher), ratio)
    return _kl_of_rows(student, teacher, rows, temperature)


@full_precision
def transformed_kl(
    student: Tensor,
    teacher: Tensor,
    targets: Tensor,
    temperature: float | Tensor = 4.0,
    ratio: float = 1.0,
) -> Tensor:
    """ℓ3: T²·KL of the transformed views' class logits, over the kept rows.

    Args:
        student: Logits [R, K].
        teacher: Logits [R, K]; no gradient flows to them.
        targets: Class of each row [R].
        temperature: T, or that of each row [R].
        ratio: Share of the rows kept where the teacher is wrong.

    Returns:
        A scalar; 0 where no row is kept.
    """
    return _kl_of_rows(student, teacher, kept_rows(teacher, targets, ratio), temperature)


def _kl_of_rows(
    student: Tensor, teacher: Tensor, rows: Tensor, temperature: float | Tensor
) -> Tensor:
    if len(rows) == 0:
        # A learnt temperature stays in the graph: processes wait for each other's gradients.
        learnt = temperature.sum() if isinstance(temperature, Tensor) else 0.0
        return (student.sum() + learnt) * 0.0
    if isinstance(temperature, Tensor) and temperature.ndim == 1:
        temperature = temperature[rows]
    return softened_kl(student[rows], teacher[rows], temperature)
