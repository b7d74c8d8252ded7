"""From a recipe to checkpoints: the teacher, then the student."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from edgekd.distill.fit import StageOutcome, fit_stage
from edgekd.distill.losses import class_weights
from edgekd.distill.losses.cross_entropy import Balance
from edgekd.distill.methods import Method, MethodContext, resolve_method
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.module import StageModule
from edgekd.distill.processes import leads, wait_for_each_other
from edgekd.distill.record import Role, Trained, history_csv, write_run
from edgekd.distill.samples import RunSamples, load_samples
from edgekd.distill.stages import keep_stage, take_kept_stage
from edgekd.distill.tasks import resolve_task
from edgekd.errors import InputError
from edgekd.files import write_whole
from edgekd.models import (
    BuiltNetwork,
    Checkpoint,
    ModelCard,
    NormalisedNetwork,
    build_network,
    count_params,
    load_checkpoint,
    read_card,
)
from edgekd.models.card import CARD, METRICS, SPLIT
from edgekd.models.subclasses import start_even
from edgekd.recipe import ModelSection, Recipe, RoleSection, fingerprint
from edgekd.runtime.preprocess import RULE

__all__ = ["STAGES", "RunRequest", "distill", "train"]

STAGES = "stages"
_WORK = ".training"


@dataclass(frozen=True)
class RunRequest:
    """A run: its recipe, where it goes, and how it talks.

    Attributes:
        recipe: The recipe.
        out: Folder of the run.
        say: Takes one line of progress.
        tick: Takes (done, total) while images are decoded.
    """

    recipe: Recipe
    out: Path
    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] | None = None


def train(request: RunRequest, role: Role = "teacher") -> ModelCard:
    """Train one role of the recipe without any teacher, into `out` itself.

    A teacher learns the subclasses where the data have any.

    Raises:
        InputError: The recipe does not have that role, or its data cannot be read.
    """
    samples = load_samples(request.recipe, request.tick, request.say)
    method = _teachers_method(samples) if role == "teacher" else {"name": "none"}
    return _train_role(request, samples, role, method, None, request.out)


def _teachers_method(samples: RunSamples) -> dict[str, Any]:
    return {"name": "subclass" if samples.subclass_of else "none"}


def distill(request: RunRequest) -> ModelCard:
    """Train the teacher (or take the one that is there) and distil the student.

    Writes `out/teacher` (unless the recipe names a checkpoint) and `out/student`.

    Raises:
        InputError: The recipe lacks a role, its data cannot be read, or the teacher knows
            other classes.
    """
    recipe = request.recipe
    kind, _ = resolve_method(recipe.method)
    samples = load_samples(recipe, request.tick, request.say)
    _refuse_undivided(kind, samples)
    teacher = _teacher(request, samples) if kind.needs_teacher else None
    if teacher and kind.learns_subclasses:
        _refuse_other_subclasses(teacher, samples)
    out = request.out / "student"
    return _train_role(request, samples, "student", recipe.method, teacher, out)


def _teacher(request: RunRequest, samples: RunSamples) -> Checkpoint:
    section = _role(request.recipe, "teacher")
    if section.checkpoint:
        folder = Path(section.checkpoint)
        request.say(f"teacher: {folder}")
    else:
        folder = request.out / "teacher"
        _train_role(request, samples, "teacher", _teachers_method(samples), None, folder)
    checkpoint = load_checkpoint(folder)
    if checkpoint.card.classes != samples.classes:
        message = (
            f"the teacher {folder} knows {checkpoint.card.classes}, the data {samples.classes}"
        )
        raise InputError(message, "take a teacher that was trained on the same classes")
    _refuse_leak(checkpoint, samples, folder)
    return checkpoint


def _refuse_undivided(kind: type[Method], samples: RunSamples) -> None:
    if kind.learns_subclasses and not samples.subclass_of:
        name = samples.split.dataset.name
        message = f"the method {kind.name} needs subclass labels, and {name} has none"
        raise InputError(message, "add `subclasses` to the recipe's `data`")


def _refuse_other_subclasses(teacher: Checkpoint, samples: RunSamples) -> None:
    if teacher.card.subclasses != samples.split.dataset.subclasses:
        message = f"the teacher {teacher.folder} does not tell the subclasses of the data"
        raise InputError(message, "train it with the recipe's `data` section")


def _refuse_leak(teacher: Checkpoint, samples: RunSamples, folder: Path) -> None:
    """A teacher that has seen the test part would carry it over to the student."""
    if teacher.card.data.name == samples.split.dataset.name and (
        teacher.card.data.sha256 != samples.split.sha256()
    ):
        message = f"the teacher {folder} was trained on another split of {teacher.card.data.name}"
        raise InputError(
            message, "use the teacher's `data` and `split` sections, or train it again"
        )


def _role(recipe: Recipe, role: Role) -> RoleSection:
    section: RoleSection | None = getattr(recipe, role)
    if section is None or (section.model is None and section.checkpoint is None):
        message = f"the recipe {recipe.name} has no {role} to train"
        raise InputError(message, f"add `{role}: {{model: {{arch: …}}}}`")
    return section


def _train_role(
    request: RunRequest,
    samples: RunSamples,
    role: Role,
    method: dict[str, Any],
    teacher: Checkpoint | None,
    out: Path,
) -> ModelCard:
    section = _role(request.recipe, role)
    kind, config = resolve_method(method)
    given = _given(request.recipe, samples, teacher)
    key = fingerprint(given, section, kind.name, config)
    finished = _finished(out, key)
    if finished is not None:
        request.say(f"{role}: {out} is there already, from the same recipe and data; reused")
        return finished
    _seed(request.recipe.seed)
    if section.model is None:
        raise InputError(f"the {role} has a checkpoint but no model to train", "add `model`")
    subclasses = samples.split.dataset.subclasses if kind.learns_subclasses else {}
    subclass_of = samples.subclass_of if subclasses else ()
    built = _built(section.model, samples, subclass_of)
    request.say(
        f"{role}: {section.model.arch}, {count_params(built.network) / 1e6:.2f} M parameters"
    )
    context = _context(request.recipe, section, samples)
    student = NormalisedNetwork(built.network, built.mean, built.std, subclass_of)
    network = kind(config, student, teacher.normalised() if teacher else None, context)
    network.to(memory_format=torch.channels_last)
    outcome = _run_stages(request, samples, network, out, key, given)
    trained = Trained(
        recipe=request.recipe,
        samples=samples,
        role=role,
        model=section.model,
        built=built,
        method=kind.name,
        options=msgspec.to_builtins(config),
        outcome=outcome,
        teacher=teacher,
        key=key,
        subclasses=subclasses,
    )
    wait_for_each_other()  # all have taken their weights from the folder that goes now
    if leads():
        write_run(trained, out, request.say)
        shutil.rmtree(out / _WORK, ignore_errors=True)
    wait_for_each_other()
    return read_card(out)


def _built(
    section: ModelSection, samples: RunSamples, subclass_of: tuple[int, ...]
) -> BuiltNetwork:
    """The network, with an output for each subclass where it is to tell them, else each class."""
    built = build_network(section, len(subclass_of) or len(samples.classes))
    if subclass_of:
        network: Any = built.network
        start_even(network.get_classifier(), subclass_of)
    return built


def _given(recipe: Recipe, samples: RunSamples, teacher: Checkpoint | None) -> tuple[Any, ...]:
    """What the weights of every stage depend on, besides the stage itself."""
    weights = teacher.card.weights_sha256 if teacher else None
    return (
        recipe.task, recipe.seed, recipe.image_size, recipe.augment, recipe.trainer.precision,
        weights, samples.split.sha256(), RULE,
    )  # fmt: skip


def _finished(out: Path, key: str) -> ModelCard | None:
    if not (out / CARD).is_file():
        return None
    card = read_card(out)
    whole = (out / METRICS).is_file() and (out / SPLIT).is_file()
    return card if whole and card.training.stage_sha256 == key else None


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that still draw from it


def _context(recipe: Recipe, section: RoleSection, samples: RunSamples) -> MethodContext:
    counts, balance = samples.class_counts(), section.fit.class_weights
    return MethodContext(
        class_counts=counts,
        class_weights=class_weights(counts, balance),
        samples=len(samples.labels),
        image_size=recipe.image_size,
        fit=section.fit,
        seed=recipe.seed,
        training_labels=torch.from_numpy(samples.training_labels()),
        subclasses=_subclasses(samples, balance),
    )


def _subclasses(samples: RunSamples, balance: Balance) -> Subclasses | None:
    if not samples.subclass_of:
        return None
    labels = torch.from_numpy(samples.subclass_labels())
    weights = class_weights(samples.subclass_counts(), balance)
    return Subclasses(samples.subclass_of, labels, weights)


def _run_stages(
    request: RunRequest,
    samples: RunSamples,
    method: Method,
    out: Path,
    key: str,
    given: tuple[Any, ...],
) -> StageOutcome:
    """Run every stage of the method; the student's weights are the best of the last one.

    All stages but the last are kept in the run's folder, and taken from there while what they
    depend on is the same.
    """
    stages = method.stages()
    outcome = StageOutcome([], 0)
    for number, stage in enumerate(stages):
        fit = stage.fit or method.context.fit
        own = key if stage.depends_on is None else (given, fit, stage.depends_on)
        stage_key = fingerprint(number, stage.name, own)
        file = out / STAGES / f"{stage.name}.safetensors"
        kept = take_kept_stage(file, method, stage, stage_key)
        if kept is not None:
            request.say(f"{stage.name}: {file} is there already; reused")
            outcome = kept
            continue
        module = StageModule(
            method, stage, samples, resolve_task(request.recipe.task), fit,
            request.recipe.augment, request.recipe.seed + number,
        )  # fmt: skip
        outcome = fit_stage(module, request.recipe.trainer, out / _WORK / stage.name, stage_key)
        if stage is not stages[-1] and leads():
            keep_stage(file, method, stage, stage_key, outcome)
            write_whole(file.with_suffix(".csv"), history_csv(outcome.history))
    return outcome
