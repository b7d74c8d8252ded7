"""Contrast of two views of each image: Chen, Kornblith, Norouzi, Hinton 2020, "A Simple Framework
for Contrastive Learning of Visual Representations" (SimCLR, ICML; arXiv 2002.05709), equation 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.precision import full_precision
from edgekd.errors import InputError

__all__ = ["view_contrast"]


@full_precision
def view_contrast(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent: mean over 2·B views of −log softmax of the similarity to the other view.

    Each view is compared with the 2·B − 1 others, by the cosine over τ.

    Args:
        first: Embeddings of one view of each image [B, E].
        second: Those of another view of the same images [B, E].
        temperature: τ.

    Returns:
        A scalar.

    Raises:
        InputError: There is one image, and nothing to tell it from.
    """
    if len(first) < 2:
        raise InputError("contrast needs two images in a batch", "raise `fit.batch_size`")
    views = F.normalize(torch.cat((first, second)), dim=1)
    similarity = views @ views.T / temperature
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    other = torch.arange(len(views), device=views.device).roll(len(first))
    return F.cross_entropy(similarity.masked_fill(itself, float("-inf")), other)
