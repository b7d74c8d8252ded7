"""Exponential moving averages: a network that follows another, and the weights that are kept."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.distill.losses import average_decay

__all__ = ["MovingAverage", "WeightAverage"]


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


class WeightAverage:
    """The moving average of the weights of a stage, which is validated and kept in their place.

    θ̄ ← α·θ̄ + (1 − α)·θ after each step, with α = min(decay, (1 + n) / (10 + n)) in step n, so that
    the random weights of the beginning are soon forgotten (as TensorFlow's
    `ExponentialMovingAverage` does). The running statistics of batch norm are averaged by the same
    rule: they are means over the activations of the weights that θ̄ is a mean of, and no pass over
    the images is needed. Counters (whole numbers) are copied.

    Source: Polyak & Juditsky 1992; Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima
    and Better Generalization" (UAI), for the need of statistics that fit the averaged weights.

    Args:
        modules: Modules whose parameters and buffers are averaged.
        decay: α in the long run.
    """

    def __init__(self, modules: Sequence[nn.Module], decay: float) -> None:
        state = {id(t): t for m in modules for t in (*m.parameters(), *m.buffers())}
        self._weights = [tensor.detach() for tensor in state.values()]
        self._averages = [tensor.clone() for tensor in self._weights]
        self._decay = decay
        self._updates = 0
        self._applied = False

    @torch.no_grad()
    def update(self) -> None:
        """Follow the weights after a step of the optimiser."""
        alpha = min(self._decay, (1 + self._updates) / (10 + self._updates))
        pairs = list(zip(self._averages, self._weights, strict=True))
        real = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([a for a, _ in real], [w for _, w in real], 1.0 - alpha)
        for average, weight in pairs:
            if not average.is_floating_point():
                average.copy_(weight)
        self._updates += 1

    @torch.no_grad()
    def exchange(self) -> None:
        """Put the averages where the weights are, or the weights back."""
        before = [weight.clone() for weight in self._weights]
        torch._foreach_copy_(self._weights, self._averages)
        torch._foreach_copy_(self._averages, before)
        self._applied = not self._applied

    @contextmanager
    def withdrawn(self) -> Iterator[None]:
        """The weights are in their place inside, even where the averages are being validated."""
        applied = self._applied
        if applied:
            self.exchange()
        yield
        if applied:
            self.exchange()

    def state_dict(self) -> dict[str, Any]:
        """Averages, in the order of the modules, and number of updates."""
        return {"averages": [a.clone() for a in self._averages], "updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        for average, restored in zip(self._averages, state["averages"], strict=True):
            average.copy_(restored)
        self._updates = state["updates"]
