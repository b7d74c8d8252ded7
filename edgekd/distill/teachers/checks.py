"""What a method cannot take from the teachers of a recipe, refused before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekd.distill.task import Trait, training_task
from edgekd.errors import InputError
from edgekd.recipe import Recipe, TeacherSection

if TYPE_CHECKING:
    from edgekd.distill.methods import Method

__all__ = ["refuse_teachers"]

_TAKES = {"pooled": "pooled vectors", "maps": "feature maps"}


def refuse_teachers(kind: type[Method], config: Any, recipe: Recipe) -> None:
    """Refuse teachers that a method cannot be taught by.

    Raises:
        InputError: The method takes features, which several teachers and several views do not have
            in common; or the task's outputs cannot be averaged in the way that the recipe names.
    """
    section = recipe.teacher or TeacherSection()
    if not kind.needs_teacher or (not recipe.teachers and section.views == 1):
        return
    several = "`teachers`" if recipe.teachers else "`teacher.views`"
    takes = kind.teacher_by(config)
    if takes != "outputs":
        message = f"the method {kind.name} takes {_TAKES[takes]}, which {several} do not average"
        raise InputError(message, "give it one `teacher`, or take a method of outputs, such as kd")
    _refuse_task(recipe, section)


def _refuse_task(recipe: Recipe, section: TeacherSection) -> None:
    traits = training_task(recipe.task).traits
    if section.views > 1 and Trait.IMAGE_LEVEL not in traits:
        message = f"`teacher.views` does not serve the task {recipe.task}: it needs "
        raise InputError(message + Trait.IMAGE_LEVEL.value, "remove `teacher.views`")
    if section.average == "probabilities" and Trait.SOFTENED_OUTPUTS not in traits:
        message = f"outputs of the task {recipe.task} have no probabilities to average"
        raise InputError(message, "set `teacher.average` to logits")
