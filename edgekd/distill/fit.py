"""Training one stage with Lightning: resumption, the best epoch, progress."""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgekd.distill.allocator import keep_freed_memory
from edgekd.distill.interrupted import (
    BEST,
    LAST,
    RelocatableCheckpoint,
    SealedCheckpoints,
    clear_unless_whole,
)
from edgekd.distill.module import StageModule
from edgekd.distill.optimisation import best_epoch
from edgekd.distill.processes import barrier, is_rank_zero
from edgekd.errors import InputError
from edgekd.recipe import TrainerSection, fingerprint

__all__ = ["StageOutcome", "fit_stage"]


@dataclass(frozen=True)
class StageOutcome:
    """The result of a stage.

    Attributes:
        history: One row for each epoch: the means of the loss terms, and the validation score.
        best_epoch: The epoch with the best score, counted from 1; the modules have its weights.
    """

    history: list[dict[str, float]]
    best_epoch: int


def fit_stage(module: StageModule, section: TrainerSection, work: Path, key: str) -> StageOutcome:
    """Train a stage and leave the weights of its best epoch in its modules.

    Args:
        module: The stage.
        section: Devices, precision and threads.
        work: Folder for training checkpoints, from which an interrupted stage is resumed.
        key: Hash of what the stage depends on; checkpoints of another key or number of devices are
            removed.

    Raises:
        InputError: The machine lacks what the section requires, or the training diverged.
    """
    keep_freed_memory()
    # The number of devices changes the steps of an epoch, and so the schedule of the rate.
    key = fingerprint(key, section.devices, section.nodes)
    progress, checkpoints = ProgressReporter(module), SealedCheckpoints(key)
    if is_rank_zero():
        damage = clear_unless_whole(work, key)
        if damage:
            progress.print(f"{damage}; {module.stage.name} begins again")
    barrier()
    best = RelocatableCheckpoint(dirpath=work, filename=BEST, monitor="score", mode=module.better)
    newest = RelocatableCheckpoint(dirpath=work, filename=LAST, save_on_train_epoch_end=True)
    newest.CHECKPOINT_NAME_LAST = LAST
    last = work / f"{LAST}{newest.FILE_EXTENSION}"
    with _quiet_lightning():
        trainer = _trainer(section, module, [best, newest, progress], checkpoints)
        resumed = str(last) if last.is_file() else None
        if resumed:
            progress.print(f"resuming {module.stage.name} where it was interrupted")
        _fit(trainer, module, resumed)
    _restore_best(module, checkpoints.load_checkpoint(best.best_model_path))
    row = module.history[best_epoch(module.scores, module.better)]
    return StageOutcome(module.history, int(row["epoch"]))


def _fit(trainer: Trainer, module: StageModule, resumed: str | None) -> None:
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, ckpt_path=resumed, weights_only=False if resumed else None)
    except SystemExit as stop:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, on_interrupt)  # Lightning leaves it ignored
        raise KeyboardInterrupt from stop


def _restore_best(module: StageModule, checkpoint: dict[str, Any]) -> None:
    module.load_state_dict(checkpoint["state_dict"], strict=False)


def _trainer(
    section: TrainerSection,
    module: StageModule,
    callbacks: list[Callback],
    checkpoints: SealedCheckpoints,
) -> Trainer:
    if section.threads:
        torch.set_num_threads(min(section.threads, os.cpu_count() or 1))
    try:
        return Trainer(
            accelerator=section.accelerator,
            devices=section.devices,
            num_nodes=section.nodes,
            precision=_precision(section),
            max_epochs=module.fit.epochs,
            callbacks=callbacks,
            plugins=[checkpoints],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # the stage's samplers divide the images
        )
    except Exception as error:  # Lightning raises its own kinds for hardware that is not there
        message = f"the trainer cannot use this machine: {str(error).splitlines()[0]}"
        raise InputError(message, "correct the recipe's `trainer` section") from error


def _precision(section: TrainerSection) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    if section.precision == "auto":
        return "bf16-mixed" if _native_bf16(section.accelerator) else "32-true"
    if section.precision == "fp32":
        return "32-true"
    return "bf16-mixed" if section.precision == "bf16" else "16-mixed"


def _native_bf16(accelerator: str) -> bool:
    """Whether bf16 is faster than fp32 on this machine.

    Among CPUs only on those with AMX: with AVX512-BF16 a step of EfficientNet-Lite0 took 0.46 s
    in bf16 and 0.36 s in fp32 (128 px, batch 32, two cores of an EPYC).
    """
    if accelerator != "cpu" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported())


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's warnings and advice out of edgekd's output."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", message=r".*lr_scheduler\.step.*")
        warnings.filterwarnings("ignore", message=r".*LeafSpec.*")
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        yield


class ProgressReporter(Callback):
    """A progress bar for each epoch and a line at its end, on stderr."""

    def __init__(self, module: StageModule) -> None:
        self._module = module
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._start = 0.0

    def print(self, text: str) -> None:
        """Print a line, in process 0 alone."""
        if is_rank_zero():
            self._console.print(text)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the epoch's bar."""
        self._start = time.perf_counter()
        if not self._console.is_terminal or not trainer.is_global_zero:
            return
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = Progress(*columns, console=self._console, transient=True)
        title = f"{self._module.stage.name} {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self._bar.add_task(title, total=trainer.num_training_batches)
        self._bar.start()

    def on_train_batch_end(self, *_: Any) -> None:
        """Advance the bar."""
        if self._bar:
            self._bar.advance(self._bar.task_ids[0])

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Print the epoch's loss terms and its validation score."""
        self._stop_bar()
        if not self._module.history:
            return
        row = dict(self._module.history[-1])
        epoch, score, loss = int(row.pop("epoch")), row.pop("score"), row.pop("loss", None)
        terms = "  ".join(f"{name} {value:.3f}" for name, value in row.items())
        losses = f"  {terms}" if loss is None else f"  loss {loss:.3f} ({terms})"
        seconds = time.perf_counter() - self._start
        self.print(
            f"  {self._module.stage.name} epoch {epoch}/{trainer.max_epochs}{losses}"
            f"  validation {self._module.score_name} {score:.3f}  {seconds:.0f} s"
        )

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Remove the bar from the terminal."""
        self._stop_bar()

    def _stop_bar(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None
