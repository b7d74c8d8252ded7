"""From a recipe to checkpoints: the teacher, then the student."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from edgekd.data import Split
from edgekd.distill.methods import Method, Stage, resolve_method
from edgekd.distill.runs.finish import finish_student
from edgekd.distill.runs.pinned_precision import TrialPlan, pin_precision, pinned, plan_of
from edgekd.distill.runs.record import EVALUATED, Role, Trained, write_run
from edgekd.distill.runs.reuse import Left, left_in, refuse_folders, take_weights
from edgekd.distill.runs.stages import (
    drop_damaged_stages,
    flaws_of_stages,
    restore_stage,
    stage_file,
    store_stage,
)
from edgekd.distill.runs.trial import Planned, check_training, context_of
from edgekd.distill.samples.run_samples import RunSamples, decode_samples, load_split
from edgekd.distill.task import training_task
from edgekd.distill.teachers.checks import refuse_teachers
from edgekd.distill.teachers.group import Teachers, gather_teachers
from edgekd.distill.teachers.serving import ServingPlan, setup_of
from edgekd.distill.training.fit import AfterEpoch, StageOutcome, fit_stage
from edgekd.distill.training.loggers import LogPlan, public_recipe, refuse_missing_loggers
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.nodes import connect, refuse_strategy
from edgekd.distill.training.precision import PrecisionChoice
from edgekd.distill.training.processes import barrier, is_rank_zero
from edgekd.errors import InputError
from edgekd.locks import only_writer
from edgekd.metrics.task import metrics_task
from edgekd.models import (
    BuiltNetwork,
    Checkpoint,
    FinishCard,
    ModelCard,
    NormalisedNetwork,
    build_network,
    check_model,
    count_params,
    load_checkpoint,
    read_card,
)
from edgekd.models.subclasses import start_even
from edgekd.policy import load_policy
from edgekd.recipe import (
    FinishSection,
    ModelSection,
    Recipe,
    RoleSection,
    TeacherSection,
    fingerprint,
)
from edgekd.resources import checkpoint_place
from edgekd.runtime.preprocess import RULE
from edgekd.seals import SEAL, clear_place

__all__ = [
    "STAGES",
    "RunRequest",
    "distill",
    "distilling_samples",
    "make_teachers",
    "pin_for_distilling",
    "train",
]

STAGES = "stages"
LOGS = "logs"
_WORK = ".training"


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
        after_epoch: Receives number and validation score of each epoch of a method's last stage,
            if that is scored by the selection metric; what it raises ends the training.
        evaluated: Parts that finished networks are evaluated on.
        precision: The precision that several runs share; None where this run chooses its own.
    """

    recipe: Recipe
    out: Path
    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] | None = None
    resume: bool = True
    after_epoch: AfterEpoch | None = None
    evaluated: tuple[str, ...] = EVALUATED
    precision: PrecisionChoice | None = None


def train(request: RunRequest, role: Role = "teacher") -> ModelCard:
    """Train one role of the recipe without any teacher, into `out` itself.

    A teacher learns subclasses where the data have them.

    Raises:
        InputError: The recipe does not have that role, its data cannot be read, or another
            process trains into the same folder.
    """
    model = _model_to_train(request.recipe, role)
    connect(request.recipe.trainer)
    _refuse_busy(request.out)

    def method_on(split: Split) -> dict[str, Any]:
        return _teachers_method(split) if role == "teacher" else {"name": "none"}

    def plans(split: Split) -> list[Planned]:
        section = _role(request.recipe, role)
        return [Planned(request.recipe, section, model, method_on(split))]

    samples = _samples(request, [model], plans)
    method = method_on(samples.split)
    fit = _role(request.recipe, role).fit
    request = _pinned(request, plan_of(request.recipe, samples, [model], [fit]))
    return _train_role(request, samples, role, method, None, request.out)


def _pinned(request: RunRequest, plan: TrialPlan) -> RunRequest:
    """The request with the precision of the run, which is reported if the recipe leaves it open."""
    if request.precision is not None:
        return request
    choice = pin_precision(request.out, request.recipe.trainer, plan)
    if request.recipe.trainer.precision == "auto":
        request.say(f"precision: {choice.precision}, {choice.reason}")
    return replace(request, recipe=pinned(request.recipe, choice), precision=choice)


def pin_for_distilling(
    request: RunRequest, samples: RunSamples, *, with_teacher: bool, runs: int = 1
) -> RunRequest:
    """The request of a distillation with its precision, see `pin_precision`.

    Args:
        request: The run.
        samples: The images of the run.
        with_teacher: Whether a teacher takes part.
        runs: Number of students that are trained in this precision.
    """
    recipe = request.recipe
    cached = recipe.teacher is not None and recipe.teacher.cache is not None
    networks = _models(recipe, with_teacher=with_teacher and not cached)
    fits = [_role(recipe, "student").fit] * runs
    if with_teacher:
        fits += [teacher.fit for teacher in recipe.teacher_networks if not teacher.checkpoint]
    return _pinned(request, plan_of(recipe, samples, networks, fits))


def _samples(
    request: RunRequest,
    networks: Sequence[ModelSection],
    plans: Callable[[Split], Sequence[Planned]],
) -> RunSamples:
    """The images of a run, decoded after every network and training on them was checked."""
    load_policy(request.recipe.policy)  # refused now rather than after the training
    refuse_missing_loggers(request.recipe.trainer.loggers)
    refuse_strategy(request.recipe.trainer)
    split = load_split(request.recipe, request.say)
    outputs = training_task(request.recipe.task).outputs(split.dataset.classes)
    for model in networks:
        check_model(model, outputs, request.recipe.image_size)
    for planned in plans(split):
        check_training(planned, split)
    return decode_samples(request.recipe, split, request.tick)


def distilling_samples(
    request: RunRequest, *, with_teacher: bool, recipes: Sequence[Recipe] = ()
) -> RunSamples:
    """The images of a distillation, see `distill`.

    Args:
        request: The run.
        with_teacher: Whether a teacher takes part.
        recipes: Recipes to train, which differ in their method; empty for the run's own alone.

    Raises:
        InputError: The recipe lacks a role, its data cannot be read, or one of its networks or
            methods cannot be trained on them, which is checked before images are decoded.
    """

    def plans(split: Split) -> list[Planned]:
        return [plan for recipe in recipes or [request.recipe] for plan in _plans(recipe, split)]

    return _samples(request, _models(request.recipe, with_teacher=with_teacher), plans)


def _plans(recipe: Recipe, split: Split) -> Iterator[Planned]:
    """The teacher's training, where there is one, and the student's."""
    kind, config = resolve_method(recipe.method, recipe.task)
    refuse_teachers(kind, config, recipe)
    teachers: list[ModelSection | None] = []
    for of_one in _teacher_recipes(recipe) if kind.needs_teacher else ():
        section = _role(of_one, "teacher")
        if section.checkpoint:
            teachers.append(_model_of(section.checkpoint, kind, split))
        else:
            teachers.append(_model_to_train(of_one, "teacher"))
            yield Planned(of_one, section, _model_to_train(of_one, "teacher"),
                          _teachers_method(split))  # fmt: skip
    known = tuple(teacher for teacher in teachers if teacher is not None)
    student = _model_to_train(recipe, "student")
    yield Planned(
        recipe, _role(recipe, "student"), student, recipe.method,
        known if len(known) == len(teachers) else (),
    )  # fmt: skip


def _teacher_recipes(recipe: Recipe) -> tuple[Recipe, ...]:
    """A recipe for each teacher, with that one alone."""
    if not recipe.teachers:
        return (recipe,)
    return tuple(
        msgspec.structs.replace(
            recipe,
            seed=recipe.seed + number,
            teachers=(),
            teacher=TeacherSection(model=of.model, fit=of.fit, checkpoint=of.checkpoint),
        )
        for number, of in enumerate(recipe.teachers)
    )


def _model_of(folder: str, kind: type[Method], split: Split) -> ModelSection | None:
    """The network of a trained teacher; None for one that will be refused."""
    card, dataset = read_card(checkpoint_place(folder)), split.dataset
    classes = training_task(dataset.task).outputs(dataset.classes)
    if card.outputs != (len(dataset.subclass_of) if kind.learns_subclasses else classes):
        return None
    return ModelSection(arch=card.arch, options=card.arch_options)


def _model_to_train(recipe: Recipe, role: Role) -> ModelSection:
    model = _role(recipe, role).model
    if model is None:
        raise InputError(f"the {role} has a checkpoint but no model to train", "add `model`")
    return model


def _models(recipe: Recipe, *, with_teacher: bool) -> list[ModelSection]:
    """The networks that see the images in a distillation, a trained teacher among them."""
    networks = [_model_to_train(recipe, "student")]
    for of_one in _teacher_recipes(recipe) if with_teacher else ():
        if folder := _role(of_one, "teacher").checkpoint:
            card = read_card(checkpoint_place(folder))
            networks.append(ModelSection(arch=card.arch, options=card.arch_options))
        else:
            networks.append(_model_to_train(of_one, "teacher"))
    return networks


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other runs out of a folder; process 0 holds its lock for all processes."""
    if not is_rank_zero():
        yield
        return
    refuse_folders(out)
    with only_writer(out, "trained"):
        yield


def _refuse_busy(*places: Path) -> None:
    """Refuse folders that cannot be written or that another process trains into.

    A finished run in a folder without write permission can still be reused.
    """
    for out in places:
        if not (out / SEAL).is_file() or os.access(out, os.W_OK):
            with _alone(out):
                pass


def _teachers_method(split: Split) -> dict[str, Any]:
    return {"name": "subclass" if split.dataset.subclass_of else "none"}


def distill(request: RunRequest) -> ModelCard:
    """Train the teachers (or take those that are there) and distil the student.

    Writes `out/teacher` (or, of several, `out/teachers/1` and so on; unless the recipe names a
    checkpoint) and `out/student`.

    Raises:
        InputError: The recipe lacks a role, its data cannot be read, the method does not serve the
            task, the teacher is of other classes or another task, or another process trains into
            the same folder.
    """
    recipe = request.recipe
    kind, _ = resolve_method(recipe.method, recipe.task)
    connect(recipe.trainer)
    out = request.out / "student"
    _refuse_busy(out, *(_trained_teachers(request) if kind.needs_teacher else ()))
    samples = distilling_samples(request, with_teacher=kind.needs_teacher)
    request = pin_for_distilling(request, samples, with_teacher=kind.needs_teacher)
    teachers = make_teachers(request, samples) if kind.needs_teacher else None
    if teachers and kind.learns_subclasses:
        for teacher in teachers.members:
            _refuse_other_subclasses(teacher, samples)
    return _train_role(request, samples, "student", recipe.method, teachers, out)


def make_teachers(request: RunRequest, samples: RunSamples) -> Teachers:
    """Train the teachers of a recipe into `out`, or take the checkpoints that it names.

    Raises:
        InputError: A teacher is of other classes, another task or another split.
    """
    recipes, folders = _teacher_recipes(request.recipe), _teacher_folders(request)
    members = [
        _teacher(replace(request, recipe=recipe), samples, folder)
        for recipe, folder in zip(recipes, folders, strict=True)
    ]
    section = request.recipe.teacher or TeacherSection()
    teachers = gather_teachers(members, section, samples)
    if len(members) > 1:
        request.say(f"teachers: {teachers.text()}")
    return teachers


def _teacher_folders(request: RunRequest) -> list[Path]:
    """The folder of each teacher's checkpoint."""
    recipe = request.recipe
    several = [request.out / "teachers" / str(n + 1) for n, _ in enumerate(recipe.teachers)]
    sections = [_role(each, "teacher") for each in _teacher_recipes(recipe)]
    pairs = zip(sections, several or [request.out / "teacher"], strict=True)
    return [checkpoint_place(section.checkpoint or folder) for section, folder in pairs]


def _trained_teachers(request: RunRequest) -> list[Path]:
    """The folders of the teachers that the run trains."""
    recipes = _teacher_recipes(request.recipe)
    pairs = zip(recipes, _teacher_folders(request), strict=True)
    return [folder for recipe, folder in pairs if not _role(recipe, "teacher").checkpoint]


def _teacher(request: RunRequest, samples: RunSamples, folder: Path) -> Checkpoint:
    if _role(request.recipe, "teacher").checkpoint:
        request.say(f"teacher: {folder}")
    else:
        _train_role(request, samples, "teacher", _teachers_method(samples.split), None, folder)
    checkpoint = load_checkpoint(folder)
    if checkpoint.card.task != request.recipe.task:
        message = f"the teacher {folder} was trained for the task {checkpoint.card.task}"
        raise InputError(message, f"take one of the recipe's task, {request.recipe.task}")
    if checkpoint.card.classes != samples.classes:
        message = (
            f"the teacher {folder} knows {checkpoint.card.classes}, the data {samples.classes}"
        )
        raise InputError(message, "take a teacher that was trained on the same classes")
    _refuse_leak(checkpoint, samples, folder)
    return checkpoint


def _refuse_other_subclasses(teacher: Checkpoint, samples: RunSamples) -> None:
    if teacher.card.subclasses != samples.split.dataset.subclasses:
        message = f"the teacher {teacher.folder} does not predict the subclasses of the data"
        raise InputError(message, "train it with the recipe's `data` section")


def _refuse_leak(teacher: Checkpoint, samples: RunSamples, folder: Path) -> None:
    """Refuse a teacher of another split: it may have seen the student's test images."""
    if teacher.card.data.name == samples.split.dataset.name and (
        teacher.card.data.sha256 != samples.split.sha256()
    ):
        message = f"the teacher {folder} was trained on another split of {teacher.card.data.name}"
        raise InputError(
            message, "use the teacher's `data` and `split` sections, or train it again"
        )


def _role(recipe: Recipe, role: Role) -> RoleSection:
    section: RoleSection | None = getattr(recipe, role)
    if isinstance(section, TeacherSection):
        section = section.network()
    if section is None or (section.model is None and section.checkpoint is None):
        message = f"the recipe {recipe.name} has no {role} to train"
        raise InputError(message, f"add `{role}: {{model: {{arch: …}}}}`")
    return section


def _train_role(
    request: RunRequest,
    samples: RunSamples,
    role: Role,
    method: dict[str, Any],
    teacher: Teachers | None,
    out: Path,
) -> ModelCard:
    """Reuse the run that is there, or make it while no other process writes to its folder."""
    kind, config = resolve_method(method, request.recipe.task)
    dependencies = _dependencies(request.recipe, samples, teacher)
    key = fingerprint(dependencies, _role(request.recipe, role), kind.name, config)
    if finishing := _finish_of(request.recipe, role):
        key = fingerprint(key, finishing)
    policy = load_policy(request.recipe.policy)
    left = left_in(out, key, policy) if request.resume else None
    if left is None or not left.whole or flaws_of_stages(out / STAGES):
        with _alone(out):
            barrier()
            left = left_in(out, key, policy) if request.resume else None
            barrier()  # all processes have read the folder, which one changes now
            if is_rank_zero() and not request.resume:
                clear_place(out / STAGES)
                clear_place(out / _WORK)
                clear_place(out / LOGS)
            if is_rank_zero() and (damage := drop_damaged_stages(out / STAGES)):
                request.say(f"{role}: {damage}; removed, and made again when it is needed")
            barrier()
            if left is None or not left.whole:
                return _make(request, samples, role, (kind, config), teacher, out, key, left)
    request.say(f"{role}: {out} is there already, from the same recipe and data; reused")
    return read_card(out)


def _make(
    request: RunRequest,
    samples: RunSamples,
    role: Role,
    method: tuple[type[Method], Any],
    teacher: Teachers | None,
    out: Path,
    key: str,
    left: Left | None,
) -> ModelCard:
    """Train the network, or reuse its weights where only other files are damaged; write the run."""
    section = _role(request.recipe, role)
    kind, config = method
    if left:
        again = "made again from its weights" if left.trained else "trained again"
        request.say(f"{role}: {left.damage}; {again}")
    _seed(request.recipe.seed)
    model = _model_to_train(request.recipe, role)
    subclasses = samples.split.dataset.subclasses if kind.learns_subclasses else {}
    subclass_of = samples.subclass_of if subclasses else ()
    built = _built(model, samples, subclass_of)
    request.say(f"{role}: {model.arch}, {count_params(built.network) / 1e6:.2f} M parameters")
    finished: FinishCard | None = None
    teaching: dict[str, Any] = {}
    if left and left.trained:
        assert left.card is not None
        teaching = left.card.training.teaching
        outcome = take_weights(left, built.network)
        finished = left.card.training.finish if left.card else None
    else:
        context = context_of(request.recipe, section, samples)
        if teacher:
            plan = ServingPlan(request.recipe, samples, kind, config, request.tick)
            context = replace(context, teacher=setup_of(teacher, plan, request.say))
            teaching = teacher.provenance(context.teacher.engine)
        student = NormalisedNetwork(built.network, built.mean, built.std, subclass_of)
        network = kind(config, student, teacher.network() if teacher else None, context)
        for note in network.notes():
            request.say(f"{role}: {note}")
        network.to(memory_format=torch.channels_last)
        dependencies = _dependencies(request.recipe, samples, teacher)
        base = fingerprint(dependencies, section, kind.name, config)
        stages = _Stages(request, samples, network, out, base, dependencies)
        finishing = _finish_of(request.recipe, role)
        outcome = stages.run(keep_last=finishing is not None)
        finished = stages.finish(finishing, key) if finishing else None
    assert request.precision is not None  # pinned before anything is trained
    trained = Trained(
        recipe=request.recipe,
        samples=samples,
        role=role,
        model=model,
        built=built,
        method=kind.name,
        options=msgspec.to_builtins(config),
        outcome=outcome,
        teacher=teacher,
        teaching=teaching,
        key=key,
        precision=request.precision,
        subclasses=subclasses,
        evaluated=request.evaluated,
        finish=finished,
    )
    barrier()  # all processes have read their weights from the folder, which is replaced now
    if is_rank_zero():
        write_run(trained, out, request.say)
        shutil.rmtree(out / _WORK, ignore_errors=True)
    barrier()
    return read_card(out)


def _finish_of(recipe: Recipe, role: Role) -> FinishSection | None:
    """The last stage of a student's training; a teacher has none."""
    return recipe.finish if role == "student" else None


def _built(
    section: ModelSection, samples: RunSamples, subclass_of: tuple[int, ...]
) -> BuiltNetwork:
    """The network, with an output for each subclass if it learns them, else those of the task."""
    built = build_network(section, len(subclass_of) or samples.task.outputs(samples.classes))
    if subclass_of:
        network: Any = built.network
        start_even(network.get_classifier(), subclass_of)
    return built


def _dependencies(recipe: Recipe, samples: RunSamples, teacher: Teachers | None) -> tuple[Any, ...]:
    """Everything that the weights of a stage depend on, besides the stage itself."""
    taught_by = teacher.identity() if teacher else None
    return (
        recipe.task, recipe.seed, recipe.image_size, recipe.augment, recipe.trainer.precision,
        taught_by, samples.split.sha256(), samples.content_sha256, RULE,
    )  # fmt: skip


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that still draw from it


@dataclass(frozen=True)
class _Stages:
    """The stages of a method, run in order.

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
        module = StageModule(
            self.method, stage, self.samples, metrics_task(recipe.task),
            stage.fit or self.method.context.fit, recipe.augment, recipe.seed + number,
        )  # fmt: skip
        outcome = fit_stage(
            module, recipe.trainer, self.out / _WORK / stage.name, key, self._log_plan(),
            after_epoch=after_epoch,
        )  # fmt: skip
        if keep and is_rank_zero():
            store_stage(folder, self.method, stage, key, outcome)
        return outcome

    def _log_plan(self) -> LogPlan:
        recipe = self.request.recipe
        name = f"{self.method.name}, seed {recipe.seed}"
        loggers, place = recipe.trainer.loggers, self.out / LOGS
        return LogPlan(loggers, place, recipe.name, name, public_recipe(recipe))
