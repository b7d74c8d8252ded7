"""What a method cannot take from the teachers of a recipe, refused before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.distill.task import Trait, training_task
from edgekd.errors import InputError
from edgekd.models.card import ModelCard, read_card
from edgekd.recipe import Recipe, TeacherSection
from edgekd.resources import checkpoint_place

if TYPE_CHECKING:
    from edgekd.distill.methods import Method
    from edgekd.distill.teachers.teacher import TeacherBy

__all__ = ["UNKNOWN_IMAGES", "refuse_other_classes", "refuse_teachers"]

UNKNOWN_IMAGES = (
    "nothing says which images it was trained on: where they are among those of the test part, its "
    "figures there are too good"
)
"""Note on a teacher that was imported."""

_TAKES = {
    "pooled": "pooled vectors",
    "maps": "feature maps",
    "gradients": "gradients through the teacher's layers",
}


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
    if section.logits is not None:
        _refuse_features(kind, config, "`teacher.logits` does not hold", ("outputs",))
        _refuse_subclasses(kind)
        _refuse_moving_views(recipe, "teacher.logits")
    for folder in (each.checkpoint for each in recipe.teacher_networks):
        if folder is not None:
            _refuse_trained(kind, config, recipe, str(checkpoint_place(folder)))
    if recipe.teachers or section.views > 1:
        several = "`teachers`" if recipe.teachers else "`teacher.views`"
        _refuse_features(kind, config, f"{several} do not average", ("outputs",))
        _refuse_averages(recipe, section)
    if section.engine != "torch":
        by_engine: tuple[TeacherBy, ...] = ("outputs", "pooled", "maps")
        _refuse_features(kind, config, "`teacher.engine` does not give", by_engine)
    if section.cache:
        _refuse_features(kind, config, "`teacher.cache` does not keep", ("outputs", "pooled"))
        _refuse_moving_views(recipe, "teacher.cache")


def refuse_other_classes(card: ModelCard, folder: Path, classes: Sequence[str]) -> None:
    """Refuse a trained teacher of other classes than the data's, whatever their order.

    Raises:
        InputError: It lacks one, or has one more; or it sums subclasses in another order.
    """
    missing = [name for name in classes if name not in card.classes]
    surplus = [name for name in card.classes if name not in classes]
    if missing:
        message = (
            f"the teacher {folder} has no output for {', '.join(missing)}, classes of the data"
        )
        hint = "take one of the same classes, or drop these from the data"
        raise InputError(message, f"{hint}; its classes are {', '.join(card.classes)}")
    if surplus:
        message = (
            f"the teacher {folder} knows {', '.join(surplus)}, too, which the data do not have"
        )
        flags = " ".join(f"--map {name}=" for name in surplus)
        raise InputError(message, f"sum or drop them where it is imported: edgekd import … {flags}")
    if card.subclasses and tuple(classes) != card.classes:
        message = f"the teacher {folder} has its classes in the order {', '.join(card.classes)}"
        raise InputError(message, f"set `data.classes` to it, instead of {', '.join(classes)}")


def _refuse_trained(kind: type[Method], config: Any, recipe: Recipe, folder: str) -> None:
    """Refuse a trained teacher that does not give what the method takes, or at no size of its own.

    Raises:
        InputError: Its file gives outputs alone, or the task has no images to resize for it.
    """
    card = read_card(folder)
    if card.outputs_alone:
        _refuse_features(kind, config, f"the {card.arch} of {folder} does not give", ("outputs",))
        _refuse_subclasses(kind)
    resizes = card.own_side(recipe.image_size) not in (None, recipe.image_size)
    if resizes and Trait.IMAGE_LEVEL not in training_task(recipe.task).traits:
        message = f"the teacher {folder} sees {card.image_size} px and the student another size, "
        message += f"which needs a task with {Trait.IMAGE_LEVEL.value}"
        raise InputError(message, f"set `image_size` to {card.image_size}")


def _refuse_subclasses(kind: type[Method]) -> None:
    if kind.learns_subclasses:
        message = f"the method {kind.name} takes outputs for subclasses, which this teacher lacks"
        raise InputError(message, "take a teacher that was trained on the subclasses, or kd")


def _refuse_features(
    kind: type[Method], config: Any, verb: str, served: tuple[TeacherBy, ...]
) -> None:
    takes = kind.teacher_by(config)
    if takes not in served:
        message = f"the method {kind.name} takes {_TAKES[takes]}, which {verb}"
        raise InputError(message, "remove that key, or take a method of outputs, such as kd")


def _refuse_moving_views(recipe: Recipe, key: str) -> None:
    """Refuse images that are not the fixed views of a cache, or of a file."""
    if Trait.IMAGE_LEVEL not in training_task(recipe.task).traits:
        message = f"`{key}` does not serve the task {recipe.task}: it needs "
        raise InputError(message + Trait.IMAGE_LEVEL.value, f"remove `{key}`")
    if recipe.augment.mixes:
        message = f"`{key}` keeps outputs of whole images, and the recipe mixes them"
        raise InputError(message, "set `augment.mixup` and `augment.cutmix` to 0")
    if recipe.student and recipe.student.fit.image_sizes:
        message = f"`{key}` keeps outputs for one size, and `fit.image_sizes` has several"
        raise InputError(message, "remove one of the two keys")
    if recipe.augment.mixup or recipe.augment.cutmix:
        message = f"`{key}` keeps outputs of single images, and `augment` mixes images"
        raise InputError(message, "set `augment.mixup` and `augment.cutmix` to 0")


def _refuse_averages(recipe: Recipe, section: TeacherSection) -> None:
    traits = training_task(recipe.task).traits
    if section.views > 1 and Trait.IMAGE_LEVEL not in traits:
        message = f"`teacher.views` does not serve the task {recipe.task}: it needs "
        raise InputError(message + Trait.IMAGE_LEVEL.value, "remove `teacher.views`")
    if section.average == "probabilities" and Trait.SOFTENED_OUTPUTS not in traits:
        message = f"outputs of the task {recipe.task} have no probabilities to average"
        raise InputError(message, "set `teacher.average` to logits")
