"""Training one stage with Lightning: resumption, the epoch that is kept, progress."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LambdaCallback

from edgekd.distill.training.allocator import keep_freed_memory
from edgekd.distill.training.checkpoints import TrainingCheckpoints
from edgekd.distill.training.early_stop import kept_epoch
from edgekd.distill.training.history import LiveHistory
from edgekd.distill.training.interrupted import (
    BEST,
    LAST,
    RelocatableCheckpoint,
    SealedCheckpoints,
    clear_unless_whole,
)
from edgekd.distill.training.loggers import LoggedHistory, LogPlan, loggers_of
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.processes import barrier, is_rank_zero, losses_named
from edgekd.distill.training.progress import ProgressOutput, ProgressReporter
from edgekd.distill.training.stopping import StopRequestedError, stopped
from edgekd.distill.training.trainer import make_trainer, quiet_lightning
from edgekd.recipe import TrainerSection, fingerprint

__all__ = ["LIVE", "AfterEpoch", "StageOutcome", "fit_stage"]

LIVE = "history.csv"
"""The history so far, beside the training checkpoints of a running stage."""

AfterEpoch = Callable[[int, float], None]
"""Receives the number of an epoch, counted from 1, and its validation score."""


@dataclass(frozen=True)
class StageOutcome:
    """The result of a stage.

    Attributes:
        history: One row for each epoch: the means of the loss terms, and the validation score.
        best_epoch: The epoch that is kept, counted from 1: the modules have its weights. It has the
            best score, unless the stage keeps its last.
    """

    history: list[dict[str, float]]
    best_epoch: int


def fit_stage(
    module: StageModule,
    section: TrainerSection,
    work: Path,
    key: str,
    logs: LogPlan | None = None,
    *,
    after_epoch: AfterEpoch | None = None,
    output: ProgressOutput | None = None,
) -> StageOutcome:
    """Train a stage and leave the weights of its best epoch, or of its last, in its modules.

    Args:
        module: The stage.
        section: Devices, precision and threads.
        work: Folder for training checkpoints, from which an interrupted stage is resumed.
        key: Hash of what the stage depends on; checkpoints of another key or number of devices are
            removed.
        logs: What is logged where, besides the history in `work`; None for nothing.
        after_epoch: Called after each validation by the selection metric; what it raises ends the
            training.
        output: Where progress is reported; None reports it on stderr.

    Raises:
        StoppedError: A signal ended the run.
        InputError: The machine lacks what the section requires, or the training diverged.
    """
    keep_freed_memory()
    module.workers = section.workers
    # The number of devices changes the steps of an epoch, and so the schedule of the rate.
    key = fingerprint(key, section.devices, section.nodes)
    progress, checkpoints = ProgressReporter(module, output), SealedCheckpoints(key)
    if is_rank_zero():
        damage = clear_unless_whole(work, key)
        if damage:
            progress.print(f"{damage}; {module.stage.name} begins again")
    barrier()
    kept = RelocatableCheckpoint(
        dirpath=work, filename=BEST, mode=module.better, enable_version_counter=False,
        monitor="score" if module.fit.keep == "best" else None,  # None saves the newest epoch
    )  # fmt: skip
    last = work / f"{LAST}{kept.FILE_EXTENSION}"
    newest = TrainingCheckpoints(module, section.checkpoint, last)
    callbacks = [kept, newest, progress, LiveHistory(module, work / LIVE)]
    with quiet_lightning(), loggers_of(logs, module.stage.name, key) as loggers:
        if logs and loggers:
            callbacks.append(LoggedHistory(module, logs))
        callbacks.extend(_observers(module, after_epoch))
        trainer = make_trainer(section, module, callbacks, checkpoints, loggers)
        resumed = str(last) if last.is_file() else None
        progress.print(f"  {module.stage.name}: {work / LIVE} grows with each epoch")
        _fit(trainer, module, resumed)
    _restore(module, checkpoints.load_checkpoint(kept.best_model_path))
    row = module.history[kept_epoch(module.fit, module.scores, module.better)]
    return StageOutcome(module.history, int(row["epoch"]))


def _observers(module: StageModule, after_epoch: AfterEpoch | None) -> list[LambdaCallback]:
    if after_epoch is None or module.stage.criterion is not None:
        return []

    def report(*_: Any) -> None:
        row = module.history[-1]
        after_epoch(int(row["epoch"]), row["score"])

    return [LambdaCallback(on_validation_end=report)]


def _fit(trainer: Trainer, module: StageModule, resumed: str | None) -> None:
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        with losses_named():
            trainer.fit(module, ckpt_path=resumed, weights_only=False if resumed else None)
    except StopRequestedError as request:
        raise stopped(request) from None
    except SystemExit as stop:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, on_interrupt)  # Lightning leaves it ignored
        raise KeyboardInterrupt from stop


def _restore(module: StageModule, checkpoint: dict[str, Any]) -> None:
    module.restore_validated(checkpoint)
