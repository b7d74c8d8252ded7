"""What several processes of one run must know of each other; alone, everything is as it is."""

from __future__ import annotations

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, distributed

__all__ = [
    "all_rows",
    "barrier",
    "gathered",
    "is_rank_zero",
    "mean_of_each",
    "mean_of_processes",
]


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def is_rank_zero() -> bool:
    """Whether this process speaks and writes for all of the run; also before they have met."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)  # what Lightning sets is not in its types


def barrier() -> None:
    """Go on when all processes are here, so that what the leading one wrote is there for all."""
    if _several():
        distributed.barrier()


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


def all_rows(tensor: Tensor) -> Tensor:
    """The rows [N, …] of all processes, each of which may give another number; no gradient."""
    counts = gathered(torch.tensor([len(tensor)], device=tensor.device)).tolist()
    most, shape = max(counts), tensor.shape[1:]
    filled = torch.cat((tensor, tensor.new_zeros(most - len(tensor), *shape)))
    parts = gathered(filled).reshape(len(counts), most, *shape)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


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
