"""The processes of a run on several nodes, which torchrun or SLURM has started.

Lightning starts the processes of one node itself, in its first training. Those of several nodes are
there from the beginning; they connect before anything else, since one of them alone reads and
clears the run's folder while the others wait.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import distributed

from edgekd.distill.training.processes import losses_named, wait_in_steps
from edgekd.errors import InputError
from edgekd.recipe import TrainerSection

__all__ = ["connect", "refuse_strategy"]

_LAUNCHERS: dict[str, type[Any]] = {"torchrun": TorchElasticEnvironment, "SLURM": SLURMEnvironment}


def connect(section: TrainerSection) -> None:
    """Connect with the processes that a launcher has started; nothing where there are none.

    Raises:
        InputError: The launcher has started another number of processes than the recipe says.
        DeviceUnreachableError: They do not find each other.
    """
    limit = timedelta(minutes=section.timeout)
    wait_in_steps(limit)
    launcher = next((name for name, kind in _LAUNCHERS.items() if kind.detect()), None)
    if launcher is None or distributed.is_initialized():
        return
    environment = _environment(launcher)
    _refuse_other_number(launcher, environment.world_size(), section)
    if environment.world_size() == 1:
        return
    os.environ["MASTER_ADDR"] = environment.main_address
    os.environ["MASTER_PORT"] = str(environment.main_port)
    gpus = section.accelerator != "cpu" and torch.cuda.is_available()
    with losses_named():
        distributed.init_process_group(
            "nccl" if gpus else "gloo", timeout=limit, rank=environment.global_rank(),
            world_size=environment.world_size(),
        )  # fmt: skip


def _environment(launcher: str) -> Any:
    try:
        return _LAUNCHERS[launcher]()
    except RuntimeError as error:  # SLURM's --ntasks without --ntasks-per-node
        message = f"{launcher}'s job cannot be used: {str(error).splitlines()[0]}"
        raise InputError(message, "see the sbatch file in examples/cluster") from error


def _refuse_other_number(launcher: str, started: int, section: TrainerSection) -> None:
    if started != section.devices * section.nodes:
        message = (
            f"{launcher} has started {started} processes, and the recipe is for {section.devices} "
            f"devices on {section.nodes} nodes"
        )
        raise InputError(message, "set `trainer.devices` (of each node) and `trainer.nodes`")


def refuse_strategy(section: TrainerSection) -> None:
    """Refuse FSDP without GPUs.

    Raises:
        InputError: The weights would be divided among CPUs.
    """
    gpus = section.accelerator != "cpu" and torch.cuda.is_available()
    if section.strategy == "fsdp" and not gpus:
        raise InputError("FSDP needs GPUs", "set `trainer.strategy: ddp`, which CPUs can do, too")
