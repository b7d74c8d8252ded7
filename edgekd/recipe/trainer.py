"""The section `trainer`: the machine."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from edgekd.recipe.section import Positive, Rate, Section

__all__ = ["CheckpointSection", "TrainerSection"]


class CheckpointSection(Section, frozen=True, kw_only=True):
    """When a training checkpoint is written, besides the end of each epoch.

    Attributes:
        minutes: After so many minutes; 0 never.
        steps: After so many training steps; 0 never.
    """

    minutes: Annotated[float, Meta(ge=0.0)] = 10.0
    steps: Annotated[int, Meta(ge=0)] = 0


class TrainerSection(Section, frozen=True, kw_only=True):
    """The machine, for Lightning's trainer.

    Attributes:
        accelerator: `auto`, `cpu`, `gpu`.
        devices: Number of devices on each node.
        nodes: Number of nodes; `torchrun` or SLURM starts the processes of several.
        strategy: How several devices share the training: `ddp`; or `fsdp`, which divides the
            weights among GPUs as well. That one is untested, above all that it restores the
            weights of the best epoch.
        timeout: Minutes that a process waits in a training step for the others, before it takes
            them for lost.
        precision: `auto` is the fastest in a few steps that are measured when the run begins, and
            is pinned for the whole run; a run too short for that takes bf16 on processors that are
            known to be faster with it, else fp32. Student and teacher are measured apart.
        compile: Whether the network that is trained is compiled by `torch.compile`: `never`;
            `auto`, where a trial when a long run begins shows that it pays; or `always`. Evaluation
            and the int8 finish run uncompiled.
        threads: CPU threads; 0 uses all cores.
        workers: Threads that load batches ahead of the training; 0 loads each when it is due.
        checkpoint: When an interrupted training can be resumed from, besides the end of an epoch.
        loggers: `tensorboard`, `mlflow`, `wandb`, besides the CSV that is always written.
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Positive = 1
    nodes: Positive = 1
    strategy: Literal["ddp", "fsdp"] = "ddp"
    timeout: Rate = 10.0
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: Literal["never", "auto", "always"] = "never"
    threads: Annotated[int, Meta(ge=0)] = 0
    workers: Annotated[int, Meta(ge=0, le=64)] = 1
    checkpoint: CheckpointSection = CheckpointSection()
    loggers: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()
