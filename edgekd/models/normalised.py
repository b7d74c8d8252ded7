"""A network with its normalisation in front: pixels 0…1 in, logits out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["NormalisedNetwork", "logits_of", "pixels_of"]


class NormalisedNetwork(nn.Module):
    """Takes float32 [B, 3, S, S] in 0…1, so that teacher and student can share a batch.

    Args:
        network: Takes normalised images.
        mean: Per channel.
        std: Per channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [B, K]."""
        normalised = (pixels - self.mean) / self.std
        logits: Tensor = self.network(normalised.contiguous(memory_format=torch.channels_last))
        return logits


def pixels_of(images: Tensor) -> Tensor:
    """float32 [B, 3, S, S] in 0…1 of uint8 images [B, S, S, 3]."""
    return images.permute(0, 3, 1, 2).float() / 255.0


@torch.inference_mode()
def logits_of(
    network: NormalisedNetwork, images: NDArray[np.uint8], batch_size: int = 64
) -> NDArray[np.float32]:
    """Logits [N, K] of images uint8 [N, S, S, 3], in evaluation mode and float32."""
    network.eval()
    device = network.mean.device
    batches = []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
        batches.append(network(pixels_of(batch)).float().cpu().numpy())
    return np.concatenate(batches)
