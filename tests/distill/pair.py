"""Two processes that train one method together over gloo, and what each of them has come to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from edgekd.distill.methods import Batch, Method

PROCESSES = 2


@dataclass
class Outcome:
    """What a process has come to.

    Attributes:
        error: The traceback of what went wrong.
        histories: Of the stages.
        unreached: Parameters that a stage was to train and that got no gradient.
        judged: Validation images by which this process judged each stage, over all epochs.
        scores: Of each epoch that a metric judged: of all processes together, and of this process
            alone with all of the images.
        state: Of the method after its last stage.
        norms: Norm of what is trained after each epoch, before the best one is taken back.
    """

    error: str
    histories: dict[str, list[dict[str, float]]]
    unreached: set[str]
    judged: dict[str, int]
    scores: list[tuple[float, float]]
    state: dict[str, Tensor]
    norms: list[float]


class Objective(nn.Module):
    """The objective of a method's only stage, as what is wrapped for several processes."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method
        self.objective = method.stages()[0].objective

    def forward(self, sample: Batch) -> Tensor:
        """The sum of the terms."""
        return torch.stack(list(self.objective(sample).values())).sum()


def trained_in_pair(script: str, folder: Path) -> list[Any]:
    """What each process of a script whose main is `take_part` comes to; it stays in the folder."""
    store = folder / "store"
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    runs = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(store)],
            env={**environment, "LOCAL_RANK": str(rank)},  # so that Lightning starts none
        )
        for rank in range(PROCESSES)
    ]
    assert [run.wait(timeout=300) for run in runs] == [0] * PROCESSES
    return left_by_pair(folder)


def left_by_pair(folder: Path) -> list[Any]:
    """What `trained_in_pair` left in a folder."""
    return [torch.load(folder / f"store.{rank}", weights_only=False) for rank in range(PROCESSES)]


def take_part(train: Callable[[int, int], Any]) -> None:
    """Be the process `RANK STORE` of the command line: leave in `STORE.RANK` what `train` gives.

    Args:
        train: Takes the rank and the number of processes.
    """
    rank, store = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    where = f"file://{store}"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=PROCESSES)
    torch.save(train(rank, PROCESSES), f"{store}.{rank}")
    dist.barrier()
    dist.destroy_process_group()
