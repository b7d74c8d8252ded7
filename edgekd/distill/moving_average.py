"""A copy of a network that follows it slowly."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from edgekd.distill.losses import average_decay

__all__ = ["MovingAverage"]


class MovingAverage(nn.Module):
    """θ′ ← α·θ′ + (1 − α)·θ after each step of the optimiser (Tarvainen & Valpola 2017).

    Parameters alone: in training mode the copy normalises by its own batches, as CRCKD's released
    code does, so that averages of the statistics would never be read.

    Args:
        network: What it copies.
        limit: Of α, which rises to it from 0.
    """

    updates: Tensor

    def __init__(self, network: nn.Module, limit: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.limit = limit
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, pixels: Tensor) -> Tensor:
        """The outputs of the copy."""
        outputs: Tensor = self.network(pixels)
        return outputs

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move towards the network's parameters."""
        share = 1.0 - average_decay(int(self.updates), self.limit)
        for own, other in zip(self.network.parameters(), network.parameters(), strict=True):
            own.lerp_(other.to(own.dtype), share)
        self.updates += 1
