"""Search without data: Liu et al. 2022, "Data-Free Neural Architecture Search via Recursive Label
Calibration" (ECCV; arXiv 2112.02086).

The priors of images are those of Yin et al. 2020, "Dreaming to Distill" (CVPR; arXiv 1912.08795),
as released, which the method takes over.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["image_norm", "soft_cross_entropy", "total_variation"]


@full_precision
def soft_cross_entropy(logits: Tensor, target: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean over the batch of −Σ σ(target/T) · log σ(logits/T), without Hinton's factor T².

    It is KL(σ(target/T) ‖ σ(logits/T)) plus the entropy of the softened target, and so lowest
    where both are equal. At T = 1 it calibrates labels (the paper's section 3.2): images are fitted
    to what the teacher answered to the images of the round before. At T = 3 it trains the supernet.

    Args:
        logits: [B, K].
        target: Logits [B, K]; no gradient flows to them.
        temperature: T > 0, of both.
    """
    soft = F.softmax(target.detach() / temperature, dim=1)
    rows = soft * F.log_softmax(logits / temperature, dim=1)
    return -rows.sum(dim=1).mean()


@full_precision
def total_variation(images: Tensor) -> Tensor:
    """Σ over four directions of the 2-norm of differences between neighbouring pixels, a scalar.

    The directions are across, down, and both diagonals; a norm is one of the whole batch.

    Args:
        images: [B, 3, H, W].
    """
    differences = (
        images[..., :, :-1] - images[..., :, 1:],
        images[..., :-1, :] - images[..., 1:, :],
        images[..., :-1, :-1] - images[..., 1:, 1:],
        images[..., :-1, 1:] - images[..., 1:, :-1],
    )
    return torch.stack([torch.linalg.vector_norm(each) for each in differences]).sum()


@full_precision
def image_norm(images: Tensor) -> Tensor:
    """Mean over the batch of each image's 2-norm, a scalar.

    Args:
        images: [B, 3, H, W].
    """
    norms: Tensor = torch.linalg.vector_norm(images.flatten(1), dim=1)
    return norms.mean()
