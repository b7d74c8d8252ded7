"""What processes exchange that each have other numbers (`shares.py`)."""

from __future__ import annotations

from typing import Any

import torch

from edgekd.distill.training.processes import (
    average_in_place,
    gather_equal_rows,
    gather_rows,
    largest_of,
    mean_of_each,
    mean_over_processes,
    of_every_process,
)


def exchanged(rank: int, processes: int) -> dict[str, Any]:
    """What a process gets where each gives something else."""
    matrix = torch.full((2, 3, 1, 1), float(rank)).contiguous(memory_format=torch.channels_last)
    vector = torch.tensor([4.0 * rank, 1.0])
    average_in_place([matrix, vector])
    return {
        "equal": gather_equal_rows(torch.tensor([[rank, 7]])),
        "rows": gather_rows(torch.full((1 + 2 * rank, 2), float(rank))),
        "mean": mean_over_processes(torch.tensor([1.0 + rank, 5.0])),
        "each": mean_of_each({"a": float(rank), "b": 2.0}, torch.device("cpu")),
        "largest": largest_of(rank, 5 - rank),
        "every": of_every_process({"rank": rank}),
        "in place": [matrix, vector],
    }
