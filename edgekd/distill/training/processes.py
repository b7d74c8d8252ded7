"""Communication between the processes of a run; with one process every function is the identity."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, distributed

from edgekd.errors import DeviceUnreachableError

__all__ = [
    "average_in_place",
    "barrier",
    "gather_equal_rows",
    "gather_rows",
    "is_rank_zero",
    "largest_of",
    "losses_named",
    "mean_of_each",
    "mean_over_processes",
    "of_every_process",
    "wait_in_steps",
]


T = TypeVar("T")

_PATIENCE = timedelta(hours=24)
"""How long a process waits for the others where one of them works alone, as where it writes the
run. Of one that has died the connections are closed, which is noticed at once."""
_LOST = re.compile(
    r"gloo|NCCL|Connection (closed|reset)|Broken pipe|Timed ?out|TCPStore|Socket", re.IGNORECASE
)
_steps_wait = timedelta(minutes=10)
_groups: dict[tuple[int, timedelta], Any] = {}


def wait_in_steps(limit: timedelta) -> None:
    """Set how long the processes wait for each other in a training step."""
    global _steps_wait
    _steps_wait = limit


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _control_group(patience: timedelta) -> Any:
    """The group for messages of the host: over gloo, so that no accelerator has to be waited for.

    It is made once for each default group and patience, by all processes together.
    """
    key = (id(distributed.group.WORLD), patience)
    if key not in _groups:
        _groups[key] = distributed.new_group(backend="gloo", timeout=patience)
    return _groups[key]


@contextmanager
def losses_named() -> Iterator[None]:
    """Turn the errors of torch.distributed about a lost process into one for the user.

    Raises:
        DeviceUnreachableError: Another process has ended, or cannot be reached.
    """
    try:
        yield
    except RuntimeError as error:
        if not _several() or not _is_loss(error):
            raise
        message = f"another process of this run has ended or cannot be reached: {_reason(error)}"
        hint = "look at its output; the same command on all nodes continues at the last checkpoint"
        raise DeviceUnreachableError(message, hint) from error


def _reason(error: RuntimeError) -> str:
    """The first sentence of torch's message, without the place in its sources."""
    line = str(error).strip().splitlines()[0]
    return re.sub(r"^\[\S+:\d+\] ", "", line).partition(". ")[0]


def _is_loss(error: RuntimeError) -> bool:
    return isinstance(error, distributed.DistError) or bool(_LOST.search(str(error)))


def is_rank_zero() -> bool:
    """Whether this is the process that writes files and messages; known before the processes have
    connected.
    """
    return bool(getattr(rank_zero_only, "rank", 0) == 0)  # what Lightning sets is not in its types


def barrier() -> None:
    """Wait until all processes have reached this point."""
    if _several():
        with losses_named():
            distributed.barrier(group=_control_group(_PATIENCE))


def gather_equal_rows(tensor: Tensor) -> Tensor:
    """The rows [B, …] of all processes in the order of their ranks, without gradient.

    Args:
        tensor: [B, …], with the same B in every process.

    Returns:
        [B·processes, …].
    """
    tensor = tensor.detach().contiguous()
    if not _several():
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, tensor)
    return torch.cat(parts)


def gather_rows(tensor: Tensor) -> Tensor:
    """The rows [N, …] of all processes in the order of their ranks, without gradient.

    Processes may have different numbers of rows.
    """
    counts = gather_equal_rows(torch.tensor([len(tensor)], device=tensor.device)).tolist()
    most, shape = max(counts), tensor.shape[1:]
    padded = torch.cat((tensor, tensor.new_zeros(most - len(tensor), *shape)))
    parts = gather_equal_rows(padded).reshape(len(counts), most, *shape)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean of a tensor over all processes, without gradient."""
    if not _several():
        return tensor.detach()
    total = tensor.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def average_in_place(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over all processes, in one message.

    Args:
        tensors: Tensors of the same shapes in every process, on one device.
    """
    if not _several():
        return
    means = mean_over_processes(torch.cat([tensor.flatten() for tensor in tensors]))
    sizes = [tensor.numel() for tensor in tensors]
    for tensor, mean in zip(tensors, torch.split(means, sizes), strict=True):
        tensor.copy_(mean.view(tensor.shape))


def mean_of_each(values: dict[str, float], device: torch.device) -> dict[str, float]:
    """The mean of each number over all processes; the names must be the same in each."""
    if not _several():
        return values
    local = torch.tensor(list(values.values()), device=device)
    return dict(zip(values, mean_over_processes(local).tolist(), strict=True))


def largest_of(*values: int) -> list[int]:
    """The largest of each number over all processes."""
    if not _several():
        return list(values)
    largest = torch.tensor(values)
    with losses_named():
        distributed.all_reduce(largest, distributed.ReduceOp.MAX, _control_group(_steps_wait))
    return largest.tolist()


def of_every_process(value: T) -> list[T]:
    """A picklable value of each process, in the order of their ranks."""
    if not _several():
        return [value]
    values: list[Any] = [None] * distributed.get_world_size()
    with losses_named():
        distributed.all_gather_object(values, value, group=_control_group(_steps_wait))
    return values
