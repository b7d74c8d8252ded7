"""Consistency with a sharpened prediction: Xie, Dai, Hovy, Luong, Le 2020, "Unsupervised Data
Augmentation for Consistency Training" (NeurIPS; arXiv 1904.12848), section 3.2.
"""

from __future__ import annotations

from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["sharpened_consistency"]


@full_precision
def sharpened_consistency(
    strong: Tensor, weak: Tensor, temperature: float, threshold: float
) -> Tensor:
    """Mean over the batch of CE(σ(weak/T), strong), 0 for images below the threshold.

    Args:
        strong: Logits of strongly augmented images [B, K].
        weak: Logits of the same images, weakly augmented [B, K]; no gradient flows to them.
        temperature: T; below 1 it sharpens.
        threshold: Least probability of the most probable class of σ(weak/T).

    Returns:
        A scalar.
    """
    aim = (weak.detach() / temperature).softmax(dim=1)
    sure = (aim.amax(dim=1) >= threshold).to(strong.dtype)
    return -(sure * (aim * strong.log_softmax(dim=1)).sum(dim=1)).mean()
