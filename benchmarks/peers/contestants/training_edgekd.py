"""`edgekd distill` of a recipe, in this process; a callback of Lightning's trainer keeps the time.

Everything that a user's run does is in the time of an epoch: the conversion and normalisation of
the pixels within the step, the log, the training checkpoints.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

import torch
from _training import Replies, Spec
from lightning.pytorch import Callback, Trainer

from edgekd.distill.runs.pipeline import RunRequest, distill
from edgekd.recipe import Recipe
from edgekd.recipe.section import convert


class Clock(Callback):
    """Begins each epoch when a line of stdin asks for it, and answers with its times."""

    def __init__(self, spec: Spec, replies: Replies) -> None:
        self._spec = spec
        self._replies = replies
        self._made = time.perf_counter()
        self._begun: float | None = None

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """The end of the epoch before, and the beginning of the next."""
        if self._begun is None:
            self._replies.send({"preparation": time.perf_counter() - self._made})
        else:
            self._answer()
        self._await()
        self._steps: list[float] = []
        self._waited = 0.0
        self._begun = self._asked = self._now()

    def on_train_batch_start(self, *_: Any) -> None:
        """The batch is there."""
        self._obtained = time.perf_counter()
        self._waited += self._obtained - self._asked

    def on_train_batch_end(self, *_: Any) -> None:
        """The weights are updated."""
        self._asked = time.perf_counter()
        self._steps.append(self._asked - self._obtained)

    def on_validation_start(self, *_: Any) -> None:
        """The last step is done."""
        self._trained = self._now()

    def on_train_end(self, *_: Any) -> None:
        """The last epoch is over."""
        self._answer()
        self._await()

    def _await(self) -> None:
        if not sys.stdin.readline():
            _leave()

    def _answer(self) -> None:
        assert self._begun is not None
        training, steps = self._trained - self._begun, len(self._steps)
        on_gpu = self._spec.device == "cuda"
        mean = (training - self._waited) / steps
        self._replies.send(
            {
                "seconds": self._now() - self._begun,
                "training": training,
                "waited": self._waited,
                "step": mean if on_gpu else median(self._steps),
                "steps": steps,
            }
        )

    def _now(self) -> float:
        if self._spec.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


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
