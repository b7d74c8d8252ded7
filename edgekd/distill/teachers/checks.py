"""What a method cannot take from the teachers of a recipe, refused before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekd.distill.task import Trait, training_task
from edgekd.errors import InputError
from edgekd.recipe import Recipe, TeacherSection

if TYPE_CHECKING:
    from edgekd.distill.methods import Method
    from edgekd.distill.teachers.teacher import TeacherBy

__all__ = ["refuse_teachers"]

_TAKES = {"pooled": "pooled vectors", "maps": "feature maps"}


def refuse_teachers(kind: type[Method], config: Any, recipe: Recipe) -> None:
    """Refuse teachers that a method cannot be taught by.

    Raises:
        InputError: The method takes features, which several teachers and several views do not have
            in common, or which a cache does not keep; the task's outputs cannot be averaged in the
            way that the recipe names; or the images of a cache would not be the same again.
    """
    section = recipe.teacher or TeacherSection()
    if not kind.needs_teacher:
        return
    if recipe.teachers or section.views > 1:
        several = "`teachers`" if recipe.teachers else "`teacher.views`"
        _refuse_features(kind, config, f"{several} do not average", ("outputs",))
        _refuse_averages(recipe, section)
    if section.cache:
        _refuse_features(kind, config, "`teacher.cache` does not keep", ("outputs", "pooled"))
        _refuse_moving_views(recipe)


def _refuse_features(
    kind: type[Method], config: Any, verb: str, served: tuple[TeacherBy, ...]
) -> None:
    takes = kind.teacher_by(config)
    if takes not in served:
        message = f"the method {kind.name} takes {_TAKES[takes]}, which {verb}"
        raise InputError(message, "remove that key, or take a method of outputs, such as kd")


def _refuse_moving_views(recipe: Recipe) -> None:
    """Refuse images that are not the fixed views of a cache."""
    if Trait.IMAGE_LEVEL not in training_task(recipe.task).traits:
        message = f"`teacher.cache` does not serve the task {recipe.task}: it needs "
        raise InputError(message + Trait.IMAGE_LEVEL.value, "remove `teacher.cache`")
    if recipe.augment.mixes:
        message = "`teacher.cache` keeps outputs of whole images, and the recipe mixes them"
        raise InputError(message, "set `augment.mixup` and `augment.cutmix` to 0")
    if recipe.student and recipe.student.fit.image_sizes:
        message = "`teacher.cache` keeps outputs for one size, and `fit.image_sizes` has several"
        raise InputError(message, "remove one of the two keys")
    if recipe.augment.mixup or recipe.augment.cutmix:
        message = "`teacher.cache` keeps outputs of single images, and `augment` mixes images"
        raise InputError(message, "set `augment.mixup` and `augment.cutmix` to 0")


def _refuse_averages(recipe: Recipe, section: TeacherSection) -> None:
    traits = training_task(recipe.task).traits
    if section.views > 1 and Trait.IMAGE_LEVEL not in traits:
        message = f"`teacher.views` does not serve the task {recipe.task}: it needs "
        raise InputError(message + Trait.IMAGE_LEVEL.value, "remove `teacher.views`")
    if section.average == "probabilities" and Trait.SOFTENED_OUTPUTS not in traits:
        message = f"outputs of the task {recipe.task} have no probabilities to average"
        raise InputError(message, "set `teacher.average` to logits")
