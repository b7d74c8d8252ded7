"""Check of a training before it begins: its networks and its method are built once.

A recipe that cannot be trained is refused before its images are decoded and its teacher is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from edgekd.data import Split
from edgekd.data.unlabelled import unlabelled_images
from edgekd.distill.methods import Method, MethodContext, load_method, resolve_method
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.runs.record import Role
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.task import Trait, training_task
from edgekd.distill.teachers.group import network_of
from edgekd.distill.training.module import refuse_batches_of
from edgekd.errors import InputError
from edgekd.extensions.methods import METHODS
from edgekd.models import NormalisedNetwork, build_network, check_model, unreached_parameters
from edgekd.recipe import (
    AugmentSection,
    FitSection,
    ModelSection,
    Recipe,
    RoleSection,
    TeacherSection,
)

__all__ = [
    "Planned",
    "check_training",
    "context_of",
    "method_of",
    "refuse_loss",
    "refuse_missing_images",
    "refuse_mixing",
    "refuse_undivided",
]


@dataclass(frozen=True)
class Planned:
    """A training before it begins.

    Attributes:
        recipe: Recipe of the whole run.
        section: The recipe's section of what is trained.
        model: The section of its network.
        method: The method, with its options.
        teachers: The network of each teacher; empty without any, or where one will be refused
            later.
        role: The role of what is trained.
    """

    recipe: Recipe
    section: RoleSection
    model: ModelSection
    method: dict[str, Any]
    teachers: tuple[ModelSection, ...] = ()
    role: Role = "student"


def check_training(planned: Planned, split: Split) -> None:
    """Build networks and method once, and check the batches of every stage.

    The state of the random generators is left as it was.

    Raises:
        InputError: The pretrained weights cannot be read, the method cannot be used with these
            networks, these data or this task, a batch of one image would be normalised by its own
            statistics, or several devices would wait for parameters that no output depends on.
    """
    recipe, size = planned.recipe, planned.recipe.image_size
    kind, _ = resolve_method(planned.method, recipe.task)
    refuse_undivided(kind, split)
    refuse_missing_images(kind, planned, split)
    refuse_loss(planned.section.fit, recipe.task)
    _refuse_image_sizes(planned, split)
    refuse_mixing(recipe.augment, kind, recipe.task)
    nothing_decoded = np.zeros((0, size, size, 3), np.uint8)
    samples = RunSamples(split, nothing_decoded, split.dataset.targets())
    processes = recipe.trainer.devices * recipe.trainer.nodes
    method = method_of(planned, samples)
    if method is None:
        return
    images = len(split.indices("train"))
    for stage in method.stages():
        size = stage.samples.batch_size(stage.fit or planned.section.fit, images, processes)
        refuse_batches_of(size, stage, processes)


def method_of(planned: Planned, samples: RunSamples) -> Method | None:
    """The method of a training with its networks; None where its teacher will be refused later.

    A teacher that is yet to be trained has the weights that its training begins with. The state of
    the random generators is left as it was.

    Raises:
        InputError: The method cannot be used with these networks, or several devices would wait for
            parameters that no output depends on.
    """
    recipe = planned.recipe
    kind, config = resolve_method(planned.method, recipe.task)
    with torch.random.fork_rng(devices=[]):
        student = _network(planned.model, kind, samples)
        if recipe.trainer.devices * recipe.trainer.nodes > 1:
            _refuse_unreached(planned.model, student, recipe.image_size)
        if kind.needs_teacher and not planned.teachers:
            return None
        teacher = _teacher(planned, kind, samples) if planned.teachers else None
        return kind(config, student, teacher, context_of(recipe, planned.section, samples))


def _refuse_image_sizes(planned: Planned, split: Split) -> None:
    """Refuse sizes of training images that do not end at the recipe's, or that no network takes."""
    sizes, size = planned.section.fit.image_sizes, planned.recipe.image_size
    if sizes and sizes[-1] != size:
        message = f"`fit.image_sizes` end at {sizes[-1]}, and the recipe's `image_size` is {size}"
        raise InputError(message, f"let the last of `fit.image_sizes` be {size}")
    outputs = training_task(planned.recipe.task).outputs(split.dataset.classes)
    for smaller in sizes[:-1]:
        for model in (planned.model, *planned.teachers):
            check_model(model, outputs, smaller)


def refuse_undivided(kind: type[Method], split: Split) -> None:
    """Refuse a method of subclasses where the data have none."""
    if kind.learns_subclasses and not split.dataset.subclass_of:
        message = f"the method {kind.name} needs subclass labels, and {split.dataset.name} has none"
        raise InputError(message, "add `subclasses` to the recipe's `data`")


def refuse_missing_images(kind: type[Method], planned: Planned, split: Split) -> None:
    """Refuse to train on a data set without images what learns from images.

    Raises:
        InputError: The role or the method needs them, or keys of the recipe do.
    """
    if split.dataset.has_images:
        return
    if planned.role == "teacher":
        message = "the teacher is trained on images, and `data.source: none` has none"
        raise InputError(message, "give the trained one in `teacher.checkpoint`")
    if kind.needs_images:
        able = ", ".join(name for name in METHODS.built_in if not load_method(name).needs_images)
        message = f"the method {kind.name} learns from images, and `data.source: none` has none"
        raise InputError(message, f"set `method.name` to one of: {able}")
    fit = planned.section.fit
    keys = {
        "finish": planned.recipe.finish is not None,
        "student.fit.logit_adjustment": bool(fit.logit_adjustment),
        "student.fit.stop_after": bool(fit.stop_after),
    }
    for key, used in keys.items():
        if used:
            message = f"`{key}` needs images, and `data.source: none` has none"
            raise InputError(message, f"remove `{key}`")


def context_of(recipe: Recipe, section: RoleSection, samples: RunSamples) -> MethodContext:
    """The facts of a run that its method may use."""
    unlabelled = unlabelled_images(recipe.data, samples.split)
    return MethodContext(
        class_counts=samples.class_counts,
        class_weights=samples.class_weights(section.fit.class_weights),
        samples=len(samples.targets),
        image_size=recipe.image_size,
        fit=section.fit,
        seed=recipe.seed,
        training_labels=torch.from_numpy(samples.training_labels()),
        subclasses=_subclasses(samples),
        task=samples.task,
        adjustment=samples.adjustment(section.fit),
        training_images=len(samples.split.indices("train")),
        unlabelled_images=len(unlabelled.samples) if unlabelled else 0,
    )


def refuse_loss(fit: FitSection, task: str) -> None:
    """Refuse a loss on the labels that the task does not have.

    Raises:
        InputError: The task has no focal loss, or its outputs no prior to adjust.
    """
    traits = training_task(task).traits
    if fit.hard_loss.name != "cross_entropy" and Trait.FOCAL_LOSS not in traits:
        message = f"`fit.loss` {fit.hard_loss.name} needs a task with {Trait.FOCAL_LOSS.value}"
        raise InputError(message, "set `fit.loss` to cross_entropy")
    if fit.logit_adjustment and Trait.CLASS_PRIOR not in traits:
        message = f"`fit.logit_adjustment` needs a task with {Trait.CLASS_PRIOR.value}"
        raise InputError(message, "set `fit.logit_adjustment` to 0")


def refuse_mixing(augment: AugmentSection, kind: type[Method], task: str) -> None:
    """Refuse to mix images where the method or the task reads the label of each.

    Raises:
        InputError: The method does not mix, or the task's labels belong to parts of an image.
    """
    if not augment.mixes:
        return
    keys = " and ".join(f"`augment.{key}`" for key in ("mixup", "cutmix") if getattr(augment, key))
    if not kind.mixes:
        able = ", ".join(name for name in METHODS.built_in if load_method(name).mixes)
        message = f"the method {kind.name} reads the label of each image, which {keys} mixes"
        raise InputError(message, f"set {keys} to 0, or `method.name` to one of: {able}")
    if Trait.IMAGE_LEVEL not in training_task(task).traits:
        message = f"{keys} needs a task with {Trait.IMAGE_LEVEL.value}"
        raise InputError(message, f"set {keys} to 0")


def _subclasses(samples: RunSamples) -> Subclasses | None:
    if not samples.subclass_of:
        return None
    return Subclasses(samples.subclass_of, torch.from_numpy(samples.subclass_labels()))


def _network(model: ModelSection, kind: type[Method], samples: RunSamples) -> NormalisedNetwork:
    of = samples.subclass_of if kind.learns_subclasses else ()
    built = build_network(model, len(of) or samples.task.outputs(samples.classes))
    return NormalisedNetwork(built.network, built.mean, built.std, of)


def _teacher(planned: Planned, kind: type[Method], samples: RunSamples) -> nn.Module:
    members = [_network(model, kind, samples) for model in planned.teachers]
    section = planned.recipe.teacher or TeacherSection()
    equal = [1 / len(members)] * len(members)
    return network_of(members, equal, section, samples.task)


def _refuse_unreached(model: ModelSection, network: NormalisedNetwork, image_size: int) -> None:
    """Refuse parameters that get no gradient: several processes would wait for it."""
    names = unreached_parameters(network, image_size)
    if names:
        first = names[0].removeprefix("network.")
        message = (
            f"{model.arch} has {len(names)} parameters that its answers do not depend on "
            f"({first} first), and several devices would wait for them"
        )
        raise InputError(message, "set `trainer.devices` to 1, or take another `arch` or `options`")
