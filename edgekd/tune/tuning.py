"""A search from recipe and space to the front: checks, the teacher, the trials, the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from optuna.trial import FrozenTrial

from edgekd.distill.methods import resolve_method
from edgekd.distill.runs.pipeline import (
    RunRequest,
    distilling_samples,
    make_teachers,
    pin_for_distilling,
)
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.errors import InputError
from edgekd.files import make_folder
from edgekd.locks import only_writer
from edgekd.metrics.task import metrics_task
from edgekd.models import check_model
from edgekd.recipe import Recipe
from edgekd.tune.job import LOCAL, Cost, Pruning, TuneJob, write_job
from edgekd.tune.outcome import TuneResult, result_of, trial_result, write_result
from edgekd.tune.space import Space, changed
from edgekd.tune.study import begin_with_default, open_study
from edgekd.tune.table import trial_line
from edgekd.tune.workers import Workers, recover

__all__ = ["TuneRequest", "tune"]

_EVALUATED = ("validation",)


@dataclass(frozen=True)
class TuneRequest:
    """What to search.

    Attributes:
        recipe: The recipe that trials change.
        space: The search space.
        out: Folder of the search; an interrupted one continues.
        trials: Number of trials of the whole search.
        workers: Number of processes on this machine.
        cost: The second objective; `none` maximises quality alone.
        lowered: Target whose int8 file is scored under the policy's gate; None scores the float
            student.
        device: The device that latency is measured on.
        pruning: How hopeless trials are ended early, with a single objective.
        seed: Seed of the sampler.
        storage: URL of a database that machines share; None takes a file in `out`.
        study: Name of the study in the database; None takes the recipe's.
        say: Receives lines of progress.
        tick: Receives (done, total) while images are decoded.
    """

    recipe: Recipe
    space: Space
    out: Path
    trials: int = 20
    workers: int = 1
    cost: Cost = "macs"
    lowered: str | None = None
    device: str = LOCAL
    pruning: Pruning = "median"
    seed: int = 0
    storage: str | None = None
    study: str | None = None
    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] | None = None


def tune(request: TuneRequest) -> TuneResult:
    """Search, and write the front into the folder of the search.

    Writes `front.json`, `recipes/1.yaml` … (by ascending cost) and `front.svg`; `trials/` holds the
    runs. No image of the test part is read by the students' evaluation, the gate or the search.

    Raises:
        InputError: The space, the objectives and the recipe do not fit; the folder or the study
            belongs to another search; no trial succeeds.
        MissingDependencyError: A package is missing.
        DeviceUnreachableError: The device gave no time.
        KeyboardInterrupt: The user ended the search; the same call continues it.
    """
    _refuse_unsuitable(request)
    make_folder(request.out)
    with only_writer(request.out, "tuned"):
        job = _job(request)
        write_job(request.out, job)
        name = request.study or request.recipe.name
        study = open_study(job, request.out, request.storage, name=name)
        again = recover(study, request.out, request.storage)
        if again:
            request.say(f"{again} unfinished trials of before are tried again")
        begin_with_default(study, job, _with_defaults(job.typed_recipe))

        def report(trial: FrozenTrial) -> None:
            metric = metrics_task(request.recipe.task).selection_metric
            request.say(trial_line(trial_result(job, trial), metric, job.cost))

        Workers(job, request.out, study, request.storage, request.say, report).run()
        result = result_of(job, study)
        for file in write_result(job, result, request.out):
            request.say(f"wrote {file}")
    return result


def _refuse_unsuitable(request: TuneRequest) -> None:
    """Refuse options and recipes that make no search, before anything is trained."""
    if request.trials < 1 or request.workers < 1:
        message = f"{request.trials} trials by {request.workers} workers are no search"
        raise InputError(message, "give 1 or more of each")
    if request.recipe.trainer.devices * request.recipe.trainer.nodes > 1:
        message = "each trial is trained on one device, and the recipe names several"
        raise InputError(message, "set `trainer.devices` to 1: --workers shares the GPUs out")
    if request.cost != "latency" and request.device != LOCAL:
        message = f"--device {request.device} is measured with --cost latency alone"
        raise InputError(message, "add --cost latency, or leave --device out")
    if request.cost == "latency":
        from edgekd.tune.latency import check_timing

        check_timing(request.device, workers=request.workers, lowered=request.lowered)
    if request.lowered is not None:
        from edgekd.tune.lowered import check_target

        check_target(request.lowered)


def _job(request: TuneRequest) -> TuneJob:
    """The description of the search, with its teacher trained."""
    needs_teacher = resolve_method(request.recipe.method, request.recipe.task)[0].needs_teacher
    out = request.out.resolve()  # recipes of the front name the teacher's folder
    run = RunRequest(request.recipe, out, request.say, request.tick, evaluated=_EVALUATED)
    samples = distilling_samples(run, with_teacher=needs_teacher)
    _check_space(request, samples)
    # All trials in one precision: another one would be another network at the same point.
    run = pin_for_distilling(run, samples, with_teacher=needs_teacher, runs=request.trials)
    teachers = make_teachers(run, samples).sections() if needs_teacher else {}
    recipe = msgspec.structs.replace(run.recipe, **teachers)
    return TuneJob(
        recipe=msgspec.to_builtins(recipe),
        space=request.space.plain(),
        cost=request.cost,
        lowered=request.lowered,
        device=request.device,
        pruning=request.pruning,
        seed=request.seed,
        chance=_chance(samples),
        trials=request.trials,
        workers=request.workers,
    )


def _check_space(request: TuneRequest, samples: RunSamples) -> None:
    """Refuse values that no trial could be trained with: of methods, and of networks.

    Raises:
        InputError: The first such value.
    """
    outputs = samples.task.outputs(samples.classes)
    for change in request.space.single_changes():
        ((key, value),) = change.items()
        where = f"the space's value {value} of {key}"
        recipe = changed(request.recipe, change, where)
        try:
            resolve_method(recipe.method, recipe.task)
            if key.startswith(("student.model", "image_size")) and recipe.student is not None:
                assert recipe.student.model is not None  # checked with the recipe
                check_model(recipe.student.model, outputs, recipe.image_size)
        except InputError as error:
            raise InputError(f"{where}: {error.message}", error.hint) from error


def _chance(samples: RunSamples) -> float:
    """The score of a student that gives the same answer for every validation image."""
    _, targets = samples.part("validation")
    same = np.zeros((len(targets), samples.task.outputs(samples.classes)), np.float32)
    return metrics_task(samples.split.dataset.task).selection(same, targets)


def _with_defaults(recipe: Recipe) -> dict[str, Any]:
    """The plain recipe with the defaults of its method, so that each searched key has a value."""
    plain: dict[str, Any] = msgspec.to_builtins(recipe)
    _, config = resolve_method(recipe.method, recipe.task)
    plain["method"] = {**msgspec.to_builtins(config), "name": recipe.method["name"]}
    return plain
