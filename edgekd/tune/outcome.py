"""The result of a search: its trials, their front, and the recipes of the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import optuna
from optuna.trial import FrozenTrial

from edgekd.errors import MissingDependencyError
from edgekd.files import make_folder, pretty_json, write_atomically
from edgekd.metrics.task import metrics_task
from edgekd.recipe import Recipe
from edgekd.tune.front import Point, hypervolume, on_front
from edgekd.tune.job import TuneJob
from edgekd.tune.study import DEFAULT, FAILURE, finished, is_feasible
from edgekd.tune.trial import Attribute, recipe_at

__all__ = [
    "FRONT",
    "RECIPES",
    "TrialResult",
    "TuneResult",
    "cost_text",
    "recipe_yaml",
    "result_of",
    "trial_result",
    "write_result",
]

FRONT, PICTURE, RECIPES = "front.json", "front.svg", "recipes"

_REFERENCE_COST = 2.0
"""Cost of the reference point of the hypervolume, in units of the default recipe's."""


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """One trial.

    Attributes:
        number: Number in the study.
        state: `complete`, `refused` (by the gate of its lowered file), `pruned` or `failed`.
        default: Whether it is the recipe itself.
        values: The searched keys and their values in the recipe.
        quality: The validation score of the objective; None for a trial without one.
        cost: The cost of the objective; None without one.
        float_quality: Validation score of the float student.
        macs: Multiply-accumulates of an image.
        params: Number of parameters.
        p50_ms: Median milliseconds of the model call, where that is the cost.
        times_flagged: Whether the benchmark calls that time doubtful.
        reason: Why it was refused or failed; "" for the others.
        seconds: Seconds that it took.
        run: Folder of its run, in the search's folder.
        recipe: File of its recipe, in the search's folder; "" for a trial that is not on the front.
    """

    number: int
    state: str
    default: bool
    values: dict[str, Any]
    quality: float | None = None
    cost: float | None = None
    float_quality: float | None = None
    macs: int | None = None
    params: int | None = None
    p50_ms: float | None = None
    times_flagged: bool = False
    reason: str = ""
    seconds: float | None = None
    run: str = ""
    recipe: str = ""

    @property
    def point(self) -> Point:
        """The trial in the plane of the objectives; its cost is 0 where there is only one."""
        assert self.quality is not None
        return Point(self.quality, self.cost or 0.0)


class TuneResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a search.

    Attributes:
        name: Name of the recipe.
        metric: Name of the quality: the task's selection metric on the validation part.
        cost: The second objective, or `none`.
        lowered: Target whose int8 file was scored; None for the float student.
        device: Device of the latency; None where that is not the cost.
        trials: All trials that count.
        front: Numbers of the trials that no other one beats, by ascending cost; of a single
            objective the best one.
        reference: Worst quality and cost that count for the hypervolume; None with one objective,
            or where the recipe itself has no result.
        hypervolume: Area that the front dominates, in units of quality × the default's cost.
        default_hypervolume: Area that the recipe itself dominates.
        images: The images of the scores: the validation part of the `recipe`, or `none` for those
            that were made of the teacher.
        format_version: Version of the file's format.
    """

    name: str
    metric: str
    cost: str
    lowered: str | None
    device: str | None
    trials: list[TrialResult]
    front: list[int]
    reference: Point | None = None
    hypervolume: float | None = None
    default_hypervolume: float | None = None
    images: str = "recipe"
    format_version: int = 1

    def trial(self, number: int) -> TrialResult:
        """The trial of that number."""
        return next(trial for trial in self.trials if trial.number == number)


def result_of(job: TuneJob, study: optuna.Study) -> TuneResult:
    """The result of a search so far."""
    known = finished(study)
    trials = [trial_result(job, trial) for trial in known]
    feasible = [result for result, trial in zip(trials, known, strict=True) if is_feasible(trial)]
    front = [feasible[index].number for index in on_front([each.point for each in feasible])]
    files = {number: f"{RECIPES}/{place}.yaml" for place, number in enumerate(front, 1)}
    trials = [msgspec.structs.replace(each, recipe=files.get(each.number, "")) for each in trials]
    recipe = job.typed_recipe
    return TuneResult(
        name=recipe.name,
        metric=metrics_task(recipe.task).selection_metric,
        cost=job.cost,
        lowered=job.lowered,
        device=job.device if job.cost == "latency" else None,
        trials=trials,
        front=front,
        **_hypervolumes(job, feasible),
    )


def trial_result(job: TuneJob, trial: FrozenTrial) -> TrialResult:
    """One trial as it is written and reported."""
    attributes = trial.user_attrs
    values = list(trial.values or [])
    refusal = attributes.get(Attribute.REFUSAL, "")
    complete = bool(values)
    cost = values[1] if len(values) > 1 else None
    return TrialResult(
        number=trial.number,
        state=_state(trial, refusal),
        default=bool(attributes.get(DEFAULT)),
        values=job.typed_space.values_of(trial.params) if trial.params else {},
        quality=values[0] if complete else None,
        cost=None if cost == float("inf") else cost,
        float_quality=attributes.get(Attribute.FLOAT_QUALITY),
        macs=attributes.get(Attribute.MACS),
        params=attributes.get(Attribute.PARAMS),
        p50_ms=attributes.get(Attribute.P50),
        times_flagged=bool(attributes.get(Attribute.FLAGGED)),
        reason=refusal or attributes.get(FAILURE, "") or _unexplained(trial),
        seconds=attributes.get(Attribute.SECONDS),
        run=attributes.get(Attribute.RUN, ""),
    )


def _state(trial: FrozenTrial, refusal: str) -> str:
    if trial.state == optuna.trial.TrialState.COMPLETE:
        return "refused" if refusal else "complete"
    return "pruned" if trial.state == optuna.trial.TrialState.PRUNED else "failed"


def _unexplained(trial: FrozenTrial) -> str:
    failed = trial.state == optuna.trial.TrialState.FAIL
    return "its workers were killed" if failed else ""


def _hypervolumes(job: TuneJob, feasible: Sequence[TrialResult]) -> dict[str, Any]:
    """Hypervolumes of the front and of the recipe itself, with costs relative to the recipe's.

    The reference point is fixed by the recipe alone: the quality of a student that gives the same
    answer for every image, at twice the recipe's cost.
    """
    default = next((each for each in feasible if each.default), None)
    if job.cost == "none" or default is None:
        return {}
    unit = default.point.cost
    reference = Point(job.chance, _REFERENCE_COST)
    points = [Point(each.point.quality, each.point.cost / unit) for each in feasible]
    return {
        "reference": Point(job.chance, _REFERENCE_COST * unit),
        "hypervolume": hypervolume(points, reference),
        "default_hypervolume": hypervolume([Point(default.point.quality, 1.0)], reference),
    }


def cost_text(cost: str, value: float | None) -> str:
    """A cost with its unit."""
    if value is None:
        return "—"
    if cost == "latency":
        return f"{value:.3g} ms"
    return f"{value / 1e6:.3g} M"


def write_result(job: TuneJob, result: TuneResult, out: Path) -> list[Path]:
    """Write `front.json`, the recipes of the front, and the picture; returns the files."""
    from edgekd.tune.picture import picture

    make_folder(out / RECIPES)
    written = [_write_recipe(job, result, number, out) for number in result.front]
    for stale in set((out / RECIPES).glob("*.yaml")) - set(written):
        stale.unlink()
    written.append(out / FRONT)
    write_atomically(out / FRONT, pretty_json(result))
    if drawn := picture(result):
        write_atomically(out / PICTURE, drawn)
        written.append(out / PICTURE)
    return written


def _write_recipe(job: TuneJob, result: TuneResult, number: int, out: Path) -> Path:
    trial = result.trial(number)
    recipe = recipe_at(job, _stored(job, trial.values))
    named = msgspec.structs.replace(recipe, name=f"{recipe.name}-{number}")
    file = out / trial.recipe
    write_atomically(file, f"# {_summary(result, trial)}\n{recipe_yaml(named)}")
    return file


def _stored(job: TuneJob, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the study stores for values of the recipe."""
    return {key: job.typed_space.domains[key].stored(value) for key, value in values.items()}


def _summary(result: TuneResult, trial: TrialResult) -> str:
    of = f"the int8 file for {result.lowered}" if result.lowered else "the student"
    cost = "" if result.cost == "none" else f", {result.cost} {cost_text(result.cost, trial.cost)}"
    return (
        f"Trial {trial.number} of `edgekd tune`: validation {result.metric.replace('_', ' ')} "
        f"{trial.quality:.3f} of {of}{cost}. It was selected by that score, which is therefore "
        "too high."
    )


def recipe_yaml(recipe: Recipe) -> str:
    """A recipe as YAML.

    Raises:
        MissingDependencyError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("pyyaml", "distill", "write recipes") from error
    text: str = yaml.safe_dump(
        msgspec.to_builtins(recipe), sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    return text
