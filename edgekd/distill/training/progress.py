"""Progress of a training on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgekd.distill.training.module import WAITING, StageModule
from edgekd.distill.training.processes import is_rank_zero

__all__ = ["ProgressOutput", "ProgressReporter"]

_SILENCE = 60.0
"""Seconds without a line after which an epoch gives a sign of life, where there is no bar."""


@dataclass(frozen=True)
class ProgressOutput:
    """Where the progress of a training goes.

    Attributes:
        line: Receives one line.
        bar: Whether a bar may be drawn on stderr, where that is a terminal.
    """

    line: Callable[[str], None]
    bar: bool = True


class ProgressReporter(Callback):
    """A progress bar for each epoch and a line at its end.

    Where no bar can be drawn, an epoch that takes minutes has a line in each.

    Args:
        module: The stage.
        output: Where lines go; None prints them to stderr.
    """

    def __init__(self, module: StageModule, output: ProgressOutput | None = None) -> None:
        self._module = module
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._output = output or ProgressOutput(self._console.print)
        self._bar: Progress | None = None
        self._start = 0.0
        self._last_line = 0.0

    def print(self, text: str) -> None:
        """Print a line, in process 0 alone."""
        self._last_line = time.monotonic()
        if is_rank_zero():
            self._output.line(text)

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Say from where an interrupted stage continues; its module has been restored by now."""
        epochs, steps = len(self._module.history), self._module.steps
        where = f"after {epochs} epochs" + (f" and {steps} steps" if steps else "")
        self.print(f"resuming {self._module.stage.name} where it was interrupted, {where}")

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the bar of an epoch that is resumed: its start is not announced again."""
        if self._module.steps:
            self._begin(trainer, self._module.steps)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the epoch's bar."""
        self._begin(trainer, 0)

    def _begin(self, trainer: Any, steps: int) -> None:
        self._start = time.perf_counter()
        self._last_line = time.monotonic()
        drawn = self._output.bar and self._console.is_terminal
        if not drawn or not trainer.is_global_zero:
            return
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = Progress(*columns, console=self._console, transient=True)
        title = f"{self._module.stage.name} {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self._bar.add_task(title, total=trainer.num_training_batches, completed=steps)
        self._bar.start()

    def on_train_batch_end(self, trainer: Any = None, *_: Any) -> None:
        """Advance the bar; without one, say how far the epoch is once it was silent for long."""
        if self._bar:
            self._bar.advance(self._bar.task_ids[0])
        elif time.monotonic() - self._last_line >= _SILENCE:
            name, epoch = self._module.stage.name, trainer.current_epoch + 1
            steps = f"step {self._module.steps} of {trainer.num_training_batches}"
            self.print(f"  {name} epoch {epoch}/{trainer.max_epochs}  {steps}")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Print the epoch's loss terms and its validation score."""
        self._stop_bar()
        if not self._module.history:
            return
        row = dict(self._module.history[-1])
        epoch, score, loss = int(row.pop("epoch")), row.pop("score"), row.pop("loss", None)
        waiting = row.pop(WAITING)
        terms = "  ".join(f"{name} {value:.3f}" for name, value in row.items())
        losses = f"  {terms}" if loss is None else f"  loss {loss:.3f} ({terms})"
        seconds = time.perf_counter() - self._start
        self.print(
            f"  {self._module.stage.name} epoch {epoch}/{trainer.max_epochs}{losses}"
            f"  validation {self._module.score_name} {score:.3f}  {seconds:.0f} s"
            f"  ({waiting:.0%} waiting for images)"
        )
        reason = self._module.stop_reason
        if reason and epoch < trainer.max_epochs:
            self.print(f"  {self._module.stage.name} stops after epoch {epoch}: {reason}")

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Remove the bar from the terminal."""
        self._stop_bar()

    def _stop_bar(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None
