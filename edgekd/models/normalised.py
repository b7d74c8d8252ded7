"""A network with its normalisation in front: maps pixels 0…1 to outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.models.subclasses import SubclassSums

__all__ = ["NormalisedNetwork", "PixelNetwork", "logits_of", "pixels_of"]


class NormalisedNetwork(nn.Module):
    """Takes float32 [B, 3, S, S] in 0…1, so that teacher and student can share a batch.

    Args:
        network: Takes normalised images.
        mean: Mean of each channel.
        std: Standard deviation of each channel.
        subclass_of: Class index of each of the network's outputs, if it predicts subclasses.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        subclass_of: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.subclass_of = tuple(subclass_of)
        self.class_logits = SubclassSums(subclass_of)
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Outputs of the task [B, …]: for classes their logits [B, K], summed over subclasses."""
        logits: Tensor = self.class_logits(self.outputs(pixels))
        return logits

    def outputs(self, pixels: Tensor) -> Tensor:
        """Outputs of the head: logits [B, S] of the subclasses, else the outputs of the task."""
        logits: Tensor = self.network(self.normalise(pixels))
        return logits

    def normalise(self, pixels: Tensor) -> Tensor:
        """The network's input for pixels 0…1."""
        normalised = (pixels - self.mean) / self.std
        return normalised.contiguous(memory_format=torch.channels_last)


def pixels_of(images: Tensor) -> Tensor:
    """Images uint8 [B, S, S, 3] as float32 [B, 3, S, S] in 0…1."""
    return images.permute(0, 3, 1, 2).float() / 255.0


class PixelNetwork(Protocol):
    """A network, or several behind one, that maps pixels 0…1 to outputs."""

    def __call__(self, pixels: Tensor) -> Tensor:
        """Outputs of the task [B, …] for float32 [B, 3, S, S]."""

    def outputs(self, pixels: Tensor) -> Tensor:
        """Outputs of the head, which may be of subclasses."""

    def eval(self) -> Any:
        """Set evaluation mode."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """All parameters."""

    def buffers(self) -> Iterator[Tensor]:
        """All buffers."""


@torch.inference_mode()
def logits_of(
    network: PixelNetwork,
    images: NDArray[np.uint8],
    batch_size: int = 64,
    *,
    raw: bool = False,
) -> NDArray[np.float32]:
    """Outputs [N, …] of images uint8 [N, S, S, 3], in evaluation mode and float32.

    Args:
        network: The network.
        images: uint8 [N, S, S, 3].
        batch_size: Number of images in a batch.
        raw: Return outputs of the head, which may be of subclasses, instead of the task's.
    """
    forward = network.outputs if raw else network
    network.eval()
    device = _device_of(network)
    batches = []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
        batches.append(forward(pixels_of(batch)).float().cpu().numpy())
    return np.concatenate(batches)


def _device_of(network: PixelNetwork) -> torch.device:
    """Where a network is; one in another program's file has no parameters."""
    return next(chain(network.parameters(), network.buffers())).device
