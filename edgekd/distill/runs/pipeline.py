"""From a recipe to checkpoints: the teacher, then the student."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from edgekd.data import Split
from edgekd.distill.methods import resolve_method
from edgekd.distill.runs.pinned_precision import TrialPlan, pin_precision, pinned, plan_of
from edgekd.distill.runs.record import Role
from edgekd.distill.runs.replacing import refuse_other_recipe
from edgekd.distill.runs.request import RunRequest
from edgekd.distill.runs.role_run import RoleRun, refuse_busy
from edgekd.distill.runs.roles import (
    model_of,
    model_to_train,
    models_of,
    role_section,
    teacher_folders,
    teacher_recipes,
    teachers_method,
    trained_teachers,
)
from edgekd.distill.runs.trial import Planned, check_training
from edgekd.distill.samples.run_samples import RunSamples, decode_samples, load_split
from edgekd.distill.task import training_task
from edgekd.distill.teachers.checks import (
    UNKNOWN_IMAGES,
    refuse_other_classes,
    refuse_teachers,
)
from edgekd.distill.teachers.from_file import teachers_in_file
from edgekd.distill.teachers.group import Teachers, gather_teachers
from edgekd.distill.training.loggers import refuse_missing_loggers
from edgekd.distill.training.nodes import connect, refuse_strategy
from edgekd.errors import InputError
from edgekd.models import Checkpoint, ModelCard, check_model, load_checkpoint
from edgekd.models.card import SPLIT
from edgekd.models.held_out import holds_out_the_same
from edgekd.policy import load_policy
from edgekd.recipe import ModelSection, Recipe, TeacherSection

__all__ = [
    "RunRequest",
    "check_machine",
    "check_networks",
    "distill",
    "distillation_plans",
    "distilling_samples",
    "make_teachers",
    "pin_for_distilling",
    "refuse_other_student",
    "train",
    "training_plan",
]


def train(request: RunRequest, role: Role = "teacher") -> ModelCard:
    """Train one role of the recipe without any teacher, into `out` itself.

    A teacher learns subclasses where the data have them.

    Raises:
        InputError: The recipe does not have that role, its data cannot be read, or another
            process trains into the same folder.
    """
    model = model_to_train(request.recipe, role)
    connect(request.recipe.trainer)
    refuse_busy(request.out)
    if not request.replaces:
        method = None if role == "teacher" else {"name": "none"}
        refuse_other_recipe(request.out, request.recipe, role, method)

    def plans(split: Split) -> list[Planned]:
        return [training_plan(request.recipe, role, split)]

    samples = _samples(request, [model], plans)
    (plan,) = plans(samples.split)
    method, fit = plan.method, plan.section.fit
    request = _pinned(request, plan_of(request.recipe, samples, [model], [fit]))
    return RoleRun(request, samples, role, method, None, request.out).card()


def _pinned(request: RunRequest, plan: TrialPlan) -> RunRequest:
    """The request with the precision of the run, which is reported if the recipe leaves it open."""
    if request.precision is not None:
        return request
    choice = pin_precision(request.out, request.recipe.trainer, plan)
    if "auto" in (request.recipe.trainer.precision, request.recipe.trainer.compile):
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
    cached = recipe.teacher is not None and recipe.teacher.runs_before
    networks = models_of(recipe, with_teacher=with_teacher and not cached)
    fits = [role_section(recipe, "student").fit] * runs
    if with_teacher:
        fits += [teacher.fit for teacher in recipe.teacher_networks if not teacher.checkpoint]
    return _pinned(request, plan_of(recipe, samples, networks, fits))


def _samples(
    request: RunRequest,
    networks: Sequence[ModelSection],
    plans: Callable[[Split], Sequence[Planned]],
) -> RunSamples:
    """The images of a run, decoded after every network and training on them was checked."""
    check_machine(request.recipe)
    split = load_split(request.recipe, request.say)
    check_networks(request.recipe, split, networks, plans(split))
    return decode_samples(request.recipe, split, request.tick)


def check_machine(recipe: Recipe) -> None:
    """Refuse a recipe whose policy, loggers or strategy this machine does not have.

    Raises:
        InputError, MissingDependencyError: One of them is missing.
    """
    load_policy(recipe.policy)  # refused now rather than after the training
    refuse_missing_loggers(recipe.trainer.loggers)
    refuse_strategy(recipe.trainer)


def check_networks(
    recipe: Recipe, split: Split, networks: Sequence[ModelSection], plans: Iterable[Planned]
) -> None:
    """Refuse networks that do not exist or do not fit, and trainings that cannot begin.

    Raises:
        InputError: See `check_model` and `check_training`.
    """
    outputs = training_task(recipe.task).outputs(split.dataset.classes)
    for model in networks:
        check_model(model, outputs, recipe.image_size)
    for planned in plans:
        check_training(planned, split)


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
        return [
            plan
            for recipe in recipes or [request.recipe]
            for plan in distillation_plans(recipe, split)
        ]

    return _samples(request, models_of(request.recipe, with_teacher=with_teacher), plans)


def training_plan(recipe: Recipe, role: Role, split: Split) -> Planned:
    """The training of one role without any teacher."""
    method = teachers_method(split) if role == "teacher" else {"name": "none"}
    section, model = role_section(recipe, role), model_to_train(recipe, role)
    return Planned(recipe, section, model, method, role=role)


def distillation_plans(recipe: Recipe, split: Split) -> Iterator[Planned]:
    """The teacher's training, where there is one, and the student's."""
    kind, config = resolve_method(recipe.method, recipe.task)
    refuse_teachers(kind, config, recipe)
    teachers: list[ModelSection | None] = []
    for of_one in teacher_recipes(recipe) if kind.needs_teacher else ():
        section = role_section(of_one, "teacher")
        if section.checkpoint:
            teachers.append(model_of(section.checkpoint, kind, split, recipe.image_size))
        else:
            teachers.append(model_to_train(of_one, "teacher"))
            yield training_plan(of_one, "teacher", split)
    known = tuple(teacher for teacher in teachers if teacher is not None)
    student = model_to_train(recipe, "student")
    yield Planned(
        recipe, role_section(recipe, "student"), student, recipe.method,
        known if len(known) == len(teachers) else (),
    )  # fmt: skip


def distill(request: RunRequest) -> ModelCard:
    """Train the teachers (or take those that are there) and distil the student.

    Writes `out/teacher` (or, of several, `out/teachers/1` and so on; unless the recipe names a
    checkpoint) and `out/student`.

    Raises:
        InputError: The recipe lacks a role, its data cannot be read, the method does not serve the
            task, the teacher is of other classes or another task, or another process trains into
            the same folder, which may also have the finished run of another recipe.
    """
    recipe = request.recipe
    kind, _ = resolve_method(recipe.method, recipe.task)
    connect(recipe.trainer)
    out = request.out / "student"
    refuse_busy(out, *(trained_teachers(recipe, request.out) if kind.needs_teacher else ()))
    refuse_other_student(request)
    if kind.needs_teacher:
        _refuse_other_teachers(request)
    samples = distilling_samples(request, with_teacher=kind.needs_teacher)
    request = pin_for_distilling(request, samples, with_teacher=kind.needs_teacher)
    teachers = make_teachers(request, samples) if kind.needs_teacher else None
    if teachers and kind.learns_subclasses:
        for teacher in teachers.members:
            _refuse_other_subclasses(teacher, samples)
    return RoleRun(request, samples, "student", recipe.method, teachers, out).card()


def refuse_other_student(request: RunRequest) -> None:
    """Refuse to distil into the folder of another recipe's finished student.

    Raises:
        InputError: There is one, and the request does not demand that it is replaced.
    """
    if not request.replaces:
        kind, config = resolve_method(request.recipe.method, request.recipe.task)
        method = {"name": kind.name, **msgspec.to_builtins(config)}
        refuse_other_recipe(request.out / "student", request.recipe, "student", method)


def _refuse_other_teachers(request: RunRequest) -> None:
    """Refuse to train teachers into the folders of another recipe's finished ones."""
    folders = teacher_folders(request.recipe, request.out)
    for of_one, folder in zip(teacher_recipes(request.recipe), folders, strict=True):
        trained = not role_section(of_one, "teacher").checkpoint
        if trained and not request.replaces:
            refuse_other_recipe(folder, of_one, "teacher", None)


def make_teachers(request: RunRequest, samples: RunSamples) -> Teachers:
    """Train the teachers of a recipe into `out`, or take the checkpoints that it names.

    Raises:
        InputError: A teacher is of other classes, another task or another split.
    """
    recipes, folders = teacher_recipes(request.recipe), teacher_folders(request.recipe, request.out)
    members = [
        _teacher(replace(request, recipe=recipe), samples, folder)
        for recipe, folder in zip(recipes, folders, strict=True)
    ]
    section = request.recipe.teacher or TeacherSection()
    if section.logits is not None:
        return teachers_in_file(request.recipe, samples, request.say)
    teachers = gather_teachers(members, section, samples)
    if len(members) > 1:
        request.say(f"teachers: {teachers.text()}")
    return teachers


def _teacher(request: RunRequest, samples: RunSamples, folder: Path) -> Checkpoint:
    if role_section(request.recipe, "teacher").checkpoint:
        request.say(f"teacher: {folder}")
    else:
        method = teachers_method(samples.split)
        RoleRun(request, samples, "teacher", method, None, folder).card()
    checkpoint = load_checkpoint(folder)
    if checkpoint.card.task != request.recipe.task:
        message = f"the teacher {folder} was trained for the task {checkpoint.card.task}"
        raise InputError(message, f"take one of the recipe's task, {request.recipe.task}")
    refuse_other_classes(checkpoint.card, folder, samples.classes)
    if checkpoint.card.imported:
        request.say(f"teacher: {UNKNOWN_IMAGES}")
    _refuse_leak(checkpoint, samples, folder)
    return checkpoint


def _refuse_leak(teacher: Checkpoint, samples: RunSamples, folder: Path) -> None:
    """Refuse a teacher of another split: it may have seen the student's test images."""
    known = teacher.card.data.name == samples.split.dataset.name
    if known and not holds_out_the_same(folder, teacher.card, samples.split):
        message = f"the teacher {folder} was trained on another split of {teacher.card.data.name}"
        hint = "use the teacher's `data` and `split` sections"
        if not (folder / SPLIT).is_file():
            hint = f"copy its {SPLIT} too, which says what it was not trained on"
        raise InputError(message, f"{hint}, or train it again")


def _refuse_other_subclasses(teacher: Checkpoint, samples: RunSamples) -> None:
    if teacher.card.subclasses != samples.split.dataset.subclasses:
        message = f"the teacher {teacher.folder} does not predict the subclasses of the data"
        raise InputError(message, "train it with the recipe's `data` section")
