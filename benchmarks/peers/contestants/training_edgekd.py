"""`edgekd distill` of a recipe, in this process; a callback of Lightning's trainer keeps the time.

Everything that a user's run does is in the time of an epoch: the conversion and normalisation of
the pixels within the step, the log, the training checkpoints.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from _training import Replies, Spec, Stopwatch
from lightning.pytorch import Callback, Trainer

from edgekd.distill.runs.pipeline import RunRequest, distill
from edgekd.recipe import Recipe
from edgekd.recipe.section import convert


class Clock(Callback):
    """Begins each epoch when a line of stdin asks for it, and answers with its times."""

    def __init__(self, spec: Spec, replies: Replies) -> None:
        self._replies = replies
        self._watch = Stopwatch(spec.device)
        self._made = time.perf_counter()
        self._running = False

    def on_train_epoch_start(self, *_: Any) -> None:
        """The end of the epoch before, and the beginning of the next."""
        if self._running:
            self._replies.send(self._watch.end())
        else:
            self._replies.send({"preparation": time.perf_counter() - self._made})
        _await()
        self._running = True
        self._watch.begin()

    def on_train_batch_start(self, *_: Any) -> None:
        """The batch is there."""
        self._watch.obtained()

    def on_train_batch_end(self, *_: Any) -> None:
        """The weights are updated."""
        self._watch.stepped()

    def on_validation_start(self, *_: Any) -> None:
        """The last step is done."""
        self._watch.trained()

    def on_train_end(self, *_: Any) -> None:
        """The last epoch is over."""
        self._replies.send(self._watch.end())
        _await()


class Check(Callback):
    """Answers with the images and losses of the first batches."""

    def __init__(self, batches: int, replies: Replies) -> None:
        self._batches = batches
        self._replies = replies
        self._positions: list[list[int]] = []
        self._losses: list[float] = []

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the batch; leave after the last one."""
        self._positions.append(batch[2].tolist())
        self._losses.append(float(outputs["loss"]))
        if len(self._losses) == self._batches:
            self._replies.send({"batches": self._positions, "losses": self._losses})
            _leave()


def _await() -> None:
    """Wait for a line; leave where none comes."""
    if not sys.stdin.readline():
        _leave()


def _leave() -> NoReturn:
    """End in the middle of the training: nobody needs the rest of the run."""
    sys.stderr.flush()
    os._exit(0)


def _watch(callback: Callback) -> None:
    """Add a callback to the trainer that edgekd makes."""
    make = Trainer.__init__

    def made(self: Trainer, *args: Any, callbacks: Any = None, **options: Any) -> None:
        make(self, *args, callbacks=[*(callbacks or ()), callback], **options)

    Trainer.__init__ = made  # type: ignore[method-assign]


def main() -> None:
    replies, spec = Replies(), Spec.read(sys.argv[1])
    _watch(Check(len(spec.batches), replies) if spec.mode == "check" else Clock(spec, replies))
    recipe = convert(spec.recipe, Recipe, "the recipe")
    distill(RunRequest(recipe, Path(f"{sys.argv[1]}.run")))


if __name__ == "__main__":
    main()
