"""The exponential moving average of a network's parameters."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from edgekd.distill.losses import average_decay

__all__ = ["MovingAverage"]


class MovingAverage(nn.Module):
    """θ′ ← α·θ′ + (1 − α)·θ after each step of the optimiser (Tarvainen & Valpola 2017).

    Only parameters are averaged: in training mode the copy normalises by the statistics of its own
    batches, as in CRCKD's released code, so that averaged statistics would never be read.

    Args:
        network: The network; it is copied.
        limit: The value to which α rises from 0.
    """

    updates: Tensor

    def __init__(self, network: nn.Module, limit: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.limit = limit
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, pixels: Tensor) -> Tensor:
        """Outputs [B, …] of the averaged network for pixels [B, 3, S, S]."""
        outputs: Tensor = self.network(pixels)
        return outputs

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Update the average by the network's present parameters."""
        share = 1.0 - average_decay(int(self.updates), self.limit)
        pairs = zip(self.network.parameters(), network.parameters(), strict=True)
        for average, parameter in pairs:
            average.lerp_(parameter.to(average.dtype), share)
        self.updates += 1
