"""What several processes of one run must know of each other; alone, everything is as it is."""

from __future__ import annotations

import torch
from torch import Tensor, distributed

__all__ = ["gathered", "mean_of_each", "mean_of_processes"]


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def gathered(tensor: Tensor) -> Tensor:
    """The rows [B, …] of all processes, in the order of their ranks; without gradient.

    Every process must give as many.
    """
    tensor = tensor.detach().contiguous()
    if not _several():
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, tensor)
    return torch.cat(parts)


def mean_of_processes(tensor: Tensor) -> Tensor:
    """The mean of a tensor over all processes; without gradient."""
    if not _several():
        return tensor.detach()
    total = tensor.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def mean_of_each(values: dict[str, float], device: torch.device) -> dict[str, float]:
    """The mean of each of some numbers over all processes, which have the same names."""
    if not _several():
        return values
    own = torch.tensor(list(values.values()), device=device)
    return dict(zip(values, mean_of_processes(own).tolist(), strict=True))
