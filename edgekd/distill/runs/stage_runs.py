"""The stages of a method, run in order in the folder of the network that is trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekd.distill.methods import Method, Stage
from edgekd.distill.runs.finish import finish_student
from edgekd.distill.runs.request import RunRequest
from edgekd.distill.runs.stages import restore_stage, stage_file, store_stage
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.training.compiling import compiled
from edgekd.distill.training.fit import AfterEpoch, StageOutcome, fit_stage
from edgekd.distill.training.loggers import LogPlan, public_recipe
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.processes import is_rank_zero
from edgekd.metrics.task import metrics_task
from edgekd.models import FinishCard
from edgekd.recipe import FinishSection, fingerprint

__all__ = ["LOGS", "STAGES", "WORK", "StageRuns"]

STAGES = "stages"
LOGS = "logs"
WORK = ".training"


@dataclass(frozen=True)
class StageRuns:
    """The stages of a method.

    All stages but the last of the run are kept in its folder, and reused while what they depend on
    is the same.

    Attributes:
        request: The run.
        samples: Its images.
        method: The method, which owns all modules.
        out: Folder of the network that is trained.
        key: Hash of what the weights of the method's last stage depend on.
        dependencies: Everything that the weights of a stage depend on, besides the stage itself.
    """

    request: RunRequest
    samples: RunSamples
    method: Method
    out: Path
    key: str
    dependencies: tuple[Any, ...]

    def run(self, *, keep_last: bool) -> StageOutcome:
        """Run every stage; the student's weights are the best of the last one.

        Args:
            keep_last: Whether to keep the last stage too, since another follows it.
        """
        with self._compiled():
            return self._run_stages(keep_last)

    def _compiled(self) -> AbstractContextManager[None]:
        if self.request.recipe.trainer.compile != "always":
            return nullcontext()
        return compiled(self.method.student)

    def _run_stages(self, keep_last: bool) -> StageOutcome:
        outcome, stages = StageOutcome([], 0), self.method.stages()
        for number, stage in enumerate(stages):
            fit = stage.fit or self.method.context.fit
            of_stage = (self.dependencies, fit, stage.optimisers, stage.depends_on)
            part = self.key if stage.depends_on is None else of_stage
            key = fingerprint(number, stage.name, part)
            last = stage is stages[-1]
            after_epoch = self.request.after_epoch if last else None
            outcome = self._run_stage(number, stage, key, keep_last or not last, after_epoch)
        return outcome

    def finish(self, section: FinishSection, key: str) -> FinishCard:
        """Train the student on for the grid of an int8 file; see `edgekd.distill.runs.finish`.

        Args:
            section: The recipe's section.
            key: Hash of what the final weights depend on.
        """
        number = len(self.method.stages())

        def train(stage: Stage) -> StageOutcome:
            return self._run_stage(number, stage, key, keep=True)

        seed, say = self.request.recipe.seed, self.request.say
        return finish_student(self.method, self.samples, section, seed, train, say)

    def _run_stage(
        self, number: int, stage: Stage, key: str, keep: bool, after_epoch: AfterEpoch | None = None
    ) -> StageOutcome:
        folder, recipe = self.out / STAGES, self.request.recipe
        kept = restore_stage(folder, self.method, stage, key)
        if kept is not None:
            self.request.say(f"{stage.name}: {stage_file(folder, stage)} is there already; reused")
            return kept
        work = self.out / WORK / stage.name
        module = StageModule(
            self.method, stage, self.samples, metrics_task(recipe.task),
            stage.fit or self.method.context.fit, recipe.augment, recipe.seed + number,
        )  # fmt: skip
        outcome = fit_stage(
            module, recipe.trainer, work, key, self._log_plan(),
            after_epoch=after_epoch, output=self.request.output,
        )  # fmt: skip
        if keep and is_rank_zero():
            store_stage(folder, self.method, stage, key, outcome)
        return outcome

    def _log_plan(self) -> LogPlan:
        recipe = self.request.recipe
        name = f"{self.method.name}, seed {recipe.seed}"
        loggers, place = recipe.trainer.loggers, self.out / LOGS
        return LogPlan(loggers, place, recipe.name, name, public_recipe(recipe))
