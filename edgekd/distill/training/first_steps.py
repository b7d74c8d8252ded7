"""The first steps of a stage, timed: nothing is written, and its weights are not kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from edgekd.distill.training.allocator import keep_freed_memory
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.trainer import make_short_trainer, quiet_lightning
from edgekd.recipe import TrainerSection

__all__ = ["STEPS", "StageTimes", "time_stage"]

STEPS = 3
"""Training steps; the first prepares memory and kernels, and does not count."""


@dataclass(frozen=True)
class StageTimes:
    """Seconds of a stage's steps.

    Attributes:
        step: Of a training step.
        validation: Of a batch of the validation.
        steps: Training steps of an epoch.
        batches: Batches of the validation of an epoch.
    """

    step: float
    validation: float
    steps: int
    batches: int

    def epoch(self, area: float = 1.0) -> float:
        """Seconds of an epoch; `area` is that of its training images, relative to the measured."""
        return self.steps * self.step * area + self.batches * self.validation


def time_stage(module: StageModule, section: TrainerSection) -> StageTimes:
    """Take the first steps of a stage on one device, and validate on one batch.

    Raises:
        InputError: The machine lacks what the section requires, or the stage diverges at once.
    """
    keep_freed_memory()
    module.workers = 0  # so that loading does not run beside the step that is timed
    clock = _Clock()
    with quiet_lightning():
        make_short_trainer(section, [clock], STEPS).fit(module)
    return StageTimes(
        min(clock.training[1:] or clock.training),
        min(clock.validation),
        len(module.train_dataloader()),
        len(module.val_dataloader()),
    )


class _Clock(Callback):
    """Seconds of each training step and of each batch of the validation."""

    def __init__(self) -> None:
        self.training: list[float] = []
        self.validation: list[float] = []
        self._start = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        self._start = _now()

    def on_train_batch_end(self, *_: Any) -> None:
        self.training.append(_now() - self._start)

    def on_validation_batch_start(self, *_: Any) -> None:
        self._start = _now()

    def on_validation_batch_end(self, *_: Any) -> None:
        self.validation.append(_now() - self._start)


def _now() -> float:
    """The time once an accelerator has done its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
