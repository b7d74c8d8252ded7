"""One trial: a recipe at a point of the space, its training, its quality and its cost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import optuna
from filelock import FileLock

from edgekd.distill.runs.pipeline import RunRequest, distill
from edgekd.files import make_folder
from edgekd.lower.source import load_source
from edgekd.metrics.task import metrics_task
from edgekd.models import ModelCard
from edgekd.recipe import Recipe, fingerprint
from edgekd.tune.job import TuneJob
from edgekd.tune.space import Range, Space, changed

__all__ = ["Attribute", "TrialRunner", "recipe_at", "suggested"]

TRIALS = "trials"
"""Folder of the trials' runs, each named by the hash of its recipe."""

REFUSED = "refused"
"""Name of the constraint that a lowered file passes its gate."""


class Attribute:
    """Names of the attributes that a trial records beside its objectives."""

    RUN = "run"
    FLOAT_QUALITY = "float_quality"
    MACS = "macs"
    PARAMS = "params"
    P50 = "p50_ms"
    FLAGGED = "times_flagged"
    REFUSAL = "refusal"
    SECONDS = "seconds"


def suggested(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """What the sampler suggests for each key, as the study stores it."""
    stored: dict[str, Any] = {}
    for key, domain in space.domains.items():
        if not isinstance(domain, Range):
            stored[key] = trial.suggest_categorical(key, list(domain.options))
        elif domain.is_whole:
            step, low, high = int(domain.step or 1), int(domain.low), int(domain.high)
            stored[key] = trial.suggest_int(key, low, high, step=step, log=domain.log)
        else:
            stored[key] = trial.suggest_float(
                key, domain.low, domain.high, step=domain.step, log=domain.log
            )
    return stored


def recipe_at(job: TuneJob, stored: Mapping[str, Any]) -> Recipe:
    """The recipe at a point of the space; without values the search's recipe itself."""
    recipe = job.typed_recipe
    if not stored:
        return recipe
    return changed(recipe, job.typed_space.values_of(stored), "the recipe of a trial")


@dataclass(frozen=True)
class TrialRunner:
    """Runs trials of a search.

    Attributes:
        job: The search.
        out: Its folder.
        threads: CPU threads of a training.
        say: Receives lines of progress.
    """

    job: TuneJob
    out: Path
    threads: int
    say: Callable[[str], None] = lambda line: None

    def run(self, trial: optuna.Trial, stored: Mapping[str, Any]) -> Sequence[float]:
        """Train the student of a trial, and return its objectives, quality first.

        A trial whose recipe was trained before takes that run; one that was interrupted continues
        its training.

        Args:
            trial: The trial; receives the scores of the epochs, attributes and constraints.
            stored: Its parameters; empty for the recipe itself.

        Raises:
            TrialPruned: Its scores are so low that it ends early.
            EdgekdError: It cannot be trained, lowered or measured.
        """
        begin = time.perf_counter()
        recipe = recipe_at(self.job, stored)
        run = self.out / TRIALS / fingerprint(recipe)[:12]
        trial.set_user_attr(Attribute.RUN, f"{TRIALS}/{run.name}")
        make_folder(run)
        with FileLock(run / ".trial.lock"):
            values = self._measured(trial, recipe, run)
        trial.set_user_attr(Attribute.SECONDS, round(time.perf_counter() - begin, 1))
        return values

    def _measured(self, trial: optuna.Trial, recipe: Recipe, run: Path) -> Sequence[float]:
        card = self._trained(trial, recipe, run)
        trial.set_user_attr(Attribute.MACS, card.macs)
        trial.set_user_attr(Attribute.PARAMS, card.params)
        source = load_source(run)
        quality = metrics_task(recipe.task).selection(source.outputs, source.targets)
        trial.set_user_attr(Attribute.FLOAT_QUALITY, quality)
        bundle = None
        if self.job.lowered is not None:
            from edgekd.tune.lowered import lower_student

            lowered = lower_student(run, self.job.lowered)
            trial.set_constraint(REFUSED, 1.0 if lowered.refusal else -1.0)
            if lowered.refusal:
                trial.set_user_attr(Attribute.REFUSAL, lowered.refusal)
            quality = quality if lowered.quality is None else lowered.quality
            bundle = lowered.bundle
        return [quality, *self._cost(trial, card, run, bundle)]

    def _trained(self, trial: optuna.Trial, recipe: Recipe, run: Path) -> ModelCard:
        trainer = msgspec.structs.replace(recipe.trainer, threads=self.threads)
        request = RunRequest(
            msgspec.structs.replace(recipe, trainer=trainer),
            run,
            self.say,
            after_epoch=None if self.job.cost != "none" else lambda *row: _report(trial, *row),
            evaluated=("validation",),
        )
        try:
            return distill(request)
        except optuna.TrialPruned:
            shutil.rmtree(run / "student", ignore_errors=True)
            raise

    def _cost(
        self, trial: optuna.Trial, card: ModelCard, run: Path, bundle: Path | None
    ) -> list[float]:
        if self.job.cost == "none":
            return []
        if self.job.cost == "macs":
            return [float(card.macs)]
        if self.job.cost == "params":
            return [float(card.params)]
        if self.job.lowered is not None and bundle is None:
            return [float("inf")]
        from edgekd.tune.latency import time_student

        timing = time_student(run, bundle, self.job.device, self.out)
        trial.set_user_attr(Attribute.P50, timing.p50)
        trial.set_user_attr(Attribute.FLAGGED, timing.flagged)
        return [timing.p50]


def _report(trial: optuna.Trial, epoch: int, score: float) -> None:
    """Report an epoch's score, and end a trial whose scores are too low."""
    trial.report(score, epoch)
    if trial.should_prune():
        raise optuna.TrialPruned(f"epoch {epoch}: {score:.3f}")
