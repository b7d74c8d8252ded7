"""Means of the loss terms over an epoch, without waiting for the device in any step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["TermMeans"]


class TermMeans:
    """Sums of named scalars, kept on their device until the end of the epoch.

    Reading a number from an accelerator makes the processor wait for all work that was submitted
    before it. Sums are in float64; in float32 on a device that lacks it.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    @property
    def steps(self) -> int:
        """Number of steps since the epoch began."""
        return self._steps

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the terms of a step, scalars; a step may have other terms than the one before."""
        for name, value in terms.items():
            value = value.detach()
            value = value.float() if value.device.type == "mps" else value.double()
            # Not in place: the sum may be part of a training checkpoint that is being written.
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._steps += 1

    def means(self) -> dict[str, float]:
        """The sum of each term divided by the number of steps; waits for the device once."""
        if not self._sums:
            return {}
        sums = torch.stack([value.reshape(()) for value in self._sums.values()]).tolist()
        return {name: total / self._steps for name, total in zip(self._sums, sums, strict=True)}

    def clear(self) -> None:
        """Begin another epoch."""
        self._sums.clear()
        self._steps = 0

    def state_dict(self) -> dict[str, object]:
        """Sums and number of steps, for a checkpoint within an epoch."""
        return {"sums": dict(self._sums), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, object], device: torch.device) -> None:
        """Restore what `state_dict` gave."""
        sums, steps = state["sums"], state["steps"]
        assert isinstance(sums, dict)
        assert isinstance(steps, int)
        self._sums = {name: value.to(device) for name, value in sums.items()}
        self._steps = steps
