"""Lightning's trainer for a recipe's `trainer` section."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, Strategy

from edgekd.distill.training.interrupted import SealedCheckpoints
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.nodes import refuse_strategy
from edgekd.distill.training.precision import refuse_unsupported, unmeasured_precision
from edgekd.errors import InputError
from edgekd.recipe import TrainerSection

__all__ = ["make_short_trainer", "make_trainer", "quiet_lightning", "set_threads"]


def make_trainer(
    section: TrainerSection,
    module: StageModule,
    callbacks: list[Callback],
    checkpoints: SealedCheckpoints,
    loggers: Sequence[Logger] = (),
) -> Trainer:
    """Lightning's trainer of a stage.

    Raises:
        InputError: The machine lacks what the section requires.
    """
    refuse_strategy(section)
    refuse_unsupported(section)
    set_threads(section)
    try:
        return Trainer(
            accelerator=section.accelerator,
            devices=section.devices,
            num_nodes=section.nodes,
            strategy=_strategy(section),
            precision=_precision(section),
            max_epochs=module.fit.epochs,
            callbacks=callbacks,
            plugins=[checkpoints],
            logger=list(loggers) or False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # the stage's samplers divide the images
        )
    except Exception as error:  # Lightning raises its own kinds for hardware that is not there
        raise _unusable(error) from error


def make_short_trainer(section: TrainerSection, callbacks: list[Callback], steps: int) -> Trainer:
    """A trainer of a few steps and one batch of validation on one device, which writes nothing.

    Raises:
        InputError: The machine lacks what the section requires.
    """
    refuse_unsupported(section)
    set_threads(section)
    try:
        return Trainer(
            accelerator=section.accelerator,
            devices=1,
            precision=_precision(section),
            max_epochs=1,
            limit_train_batches=steps,
            limit_val_batches=1,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except Exception as error:
        raise _unusable(error) from error


def _unusable(error: Exception) -> InputError:
    message = f"the trainer cannot use this machine: {str(error).splitlines()[0]}"
    return InputError(message, "correct the recipe's `trainer` section")


def _strategy(section: TrainerSection) -> Strategy | str:
    """How the processes share the training; Lightning's choice for a single one."""
    timeout = timedelta(minutes=section.timeout)
    if section.strategy == "fsdp":
        return FSDPStrategy(timeout=timeout)
    if section.devices * section.nodes == 1:
        return "auto"
    return DDPStrategy(timeout=timeout)


def set_threads(section: TrainerSection) -> None:
    """Let PyTorch use as many CPU threads as the recipe gives it."""
    if section.threads:
        torch.set_num_threads(min(section.threads, os.cpu_count() or 1))


def _precision(section: TrainerSection) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    """Lightning's name; a run has pinned its precision by now, a stage on its own has not."""
    unpinned = section.precision == "auto"
    precision = unmeasured_precision(section) if unpinned else section.precision
    if precision == "fp32":
        return "32-true"
    return "bf16-mixed" if precision == "bf16" else "16-mixed"


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's warnings and advice out of edgekd's output."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", message=r".*lr_scheduler\.step.*")
        warnings.filterwarnings("ignore", message=r".*LeafSpec.*")
        warnings.filterwarnings("ignore", module=r"(alembic|mlflow|sqlalchemy|tensorboard|wandb)\b")
        for name in ("lightning.pytorch", "lightning.fabric", "mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
