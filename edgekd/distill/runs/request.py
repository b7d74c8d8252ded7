"""What a run is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekd.distill.runs.record import EVALUATED
from edgekd.distill.training.fit import AfterEpoch
from edgekd.distill.training.precision import PrecisionChoice
from edgekd.distill.training.progress import ProgressOutput
from edgekd.recipe import Recipe

__all__ = ["RunRequest"]


@dataclass(frozen=True)
class RunRequest:
    """A run: its recipe, its folder, and its progress observers.

    Attributes:
        recipe: The recipe.
        out: Folder of the run.
        say: Receives one line of progress.
        tick: Receives (done, total) while images are decoded.
        resume: Continue an interrupted run and reuse a finished one, rather than begin again. What
            a finished run has written stays until the new one is whole.
        force: Replace a finished run of another recipe, which is refused otherwise.
        after_epoch: Receives number and validation score of each epoch of a method's last stage,
            if that is scored by the selection metric; what it raises ends the training.
        evaluated: Parts that finished networks are evaluated on.
        output: Where trainings report their epochs; None reports them on stderr.
        precision: The precision that several runs share; None where this run chooses its own.
    """

    recipe: Recipe
    out: Path
    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] | None = None
    resume: bool = True
    force: bool = False
    after_epoch: AfterEpoch | None = None
    evaluated: tuple[str, ...] = EVALUATED
    output: ProgressOutput | None = None
    precision: PrecisionChoice | None = None

    @property
    def replaces(self) -> bool:
        """Whether the finished run of another recipe may be replaced."""
        return self.force or not self.resume
