"""When a training checkpoint is written: at each epoch's end, by time, by steps, and on a signal.

A checkpoint in the middle of an epoch is taken before a batch is trained on, when everything that
follows the step before it (the players' schedules, moving averages, memory banks) is done.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Checkpoint

from edgekd.distill.training.module import StageModule
from edgekd.distill.training.processes import largest_of
from edgekd.distill.training.stopping import StopRequestedError, StopSignals
from edgekd.recipe import CheckpointSection

__all__ = ["TrainingCheckpoints"]

_VALIDATION = "epoch_loop.val_loop.batch_progress"
_NOTHING_VALIDATED = {"ready": 0, "started": 0, "processed": 0, "completed": 0}
_FIRST_BATCH_BEGUN = {**_NOTHING_VALIDATED, "ready": 1, "started": 1}


class TrainingCheckpoints(Checkpoint):
    """Writes the checkpoint from which an interrupted stage is resumed.

    With several processes they agree before each step, so that a signal to any of them stops all.

    Args:
        module: The stage.
        section: When checkpoints are written, besides the end of each epoch.
        file: The checkpoint; each one replaces the one before.
    """

    def __init__(self, module: StageModule, section: CheckpointSection, file: Path) -> None:
        self._module = module
        self._section = section
        self._file = file
        self._signals = StopSignals()
        self._saved_at = 0.0
        self._steps = 0
        self._validating = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Handle signals in place of Lightning, whose trainer restores the handlers at its end."""
        self._signals.listen()
        self._saved_at = time.monotonic()

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save where a checkpoint is due.

        Raises:
            StopRequestedError: After a signal.
        """
        number, late = largest_of(self._signals.received, int(self._is_late()))
        if batch_idx and (number or late or self._enough_steps()):
            self._save(trainer)
        self._steps += 1
        if number:
            raise StopRequestedError(number, self._where(trainer, batch_idx))

    def on_validation_batch_start(self, trainer: Any, *_: Any) -> None:
        """Save after a signal, so that the epoch is resumed with its validation.

        Raises:
            StopRequestedError: After a signal.
        """
        (number,) = largest_of(self._signals.received)
        if number:
            self._validating = True
            self._save(trainer)
            raise StopRequestedError(number, self._where(trainer, self._module.steps))

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save at the end of each epoch; after a signal, end.

        Raises:
            StopRequestedError: After a signal.
        """
        self._save(trainer)
        (number,) = largest_of(self._signals.received)
        if number:
            raise StopRequestedError(number, self._where(trainer, 0))

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Let a validation that was broken off begin again.

        Lightning would take it for done, unless one of its batches was begun.
        """
        if self._validating:
            progress = checkpoint["loops"]["fit_loop"][_VALIDATION]
            progress["total"] = dict(_FIRST_BATCH_BEGUN)
            progress["current"] = dict(_NOTHING_VALIDATED)

    def _save(self, trainer: Any) -> None:
        trainer.save_checkpoint(self._file)
        self._saved_at = time.monotonic()
        self._steps = 0

    def _is_late(self) -> bool:
        minutes = (time.monotonic() - self._saved_at) / 60
        return bool(self._section.minutes) and minutes >= self._section.minutes

    def _enough_steps(self) -> bool:
        return bool(self._section.steps) and self._steps >= self._section.steps

    def _where(self, trainer: Any, steps: int) -> str:
        """What is saved, in words."""
        epochs = len(self._module.history)
        if not steps and not epochs:
            return f"{self._module.stage.name} had not begun"
        step = f" and {steps} steps" if steps else ""
        return f"{self._module.stage.name} is saved after {epochs} epochs{step}"
