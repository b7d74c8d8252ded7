"""A weight for each image and loss, learnt on held-out images: Sivasubramanian et al. 2023,
"Adaptive Mixing of Auxiliary Losses in Supervised Learning" (AAAI; arXiv 2202.03250), by the update
of the released code.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["mixed_weights", "virtual_logits"]


@full_precision
def virtual_logits(
    weights: Tensor,
    gradients: Tensor,
    pooled: Tensor,
    held_out_pooled: Tensor,
    held_out_logits: Tensor,
    rate: float,
) -> Tensor:
    """Logits of held-out images after one step of gradient descent on the last layer alone.

    The gradient of image i and loss m is g_im at the bias and g_im ⊗ h_i at the matrix, so that
    z′_v = z_v − η · Σ_i (1 + h_v · h_i) Σ_m λ_im · g_im.

    Args:
        weights: λ [N, M].
        gradients: g, of each loss at the logits of each image, as the loss's mean over the batch
            has it [N, M, K].
        pooled: h, inputs of the last layer [N, D].
        held_out_pooled: Those of the held-out images [V, D].
        held_out_logits: z [V, K].
        rate: η.

    Returns:
        Logits [V, K].
    """
    mixed = torch.einsum("im,imk->ik", weights, gradients)
    return held_out_logits - rate * (1.0 + held_out_pooled @ pooled.T) @ mixed


@full_precision
def mixed_weights(
    weights: Tensor,
    gradients: Tensor,
    pooled: Tensor,
    held_out_pooled: Tensor,
    held_out_logits: Tensor,
    held_out_slope: Callable[[Tensor], Tensor],
    *,
    rate: float,
    step: float,
    most: Tensor,
    repeats: int = 5,
    least: float = 1e-7,
) -> Tensor:
    """The weights after some steps down the held-out loss that follows a virtual step.

    λ ← λ − s · ∂L(z′(λ))/∂λ, kept in least … most − least. The virtual step begins at the same
    layer in every repeat.

    Args:
        weights: λ [N, M].
        gradients: See `virtual_logits`.
        pooled: See `virtual_logits`.
        held_out_pooled: See `virtual_logits`.
        held_out_logits: See `virtual_logits`.
        held_out_slope: Gradient [V, K] of the mean held-out loss at logits [V, K].
        rate: η of the virtual step.
        step: s; 1500 in the released code, for gradients of means over 128 images.
        most: Upper limit of each loss's weights [M].
        repeats: Number of steps.
        least: Distance from 0 and from `most`.

    Returns:
        Weights [N, M].
    """
    near = 1.0 + pooled @ held_out_pooled.T
    for _ in range(repeats):
        after = virtual_logits(weights, gradients, pooled, held_out_pooled, held_out_logits, rate)
        slope = -rate * torch.einsum("imk,ik->im", gradients, near @ held_out_slope(after))
        weights = torch.minimum((weights - step * slope).clamp(min=least), most - least)
    return weights
