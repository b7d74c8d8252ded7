"""The roles of a recipe: their sections, networks, methods and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgekd.data import Split
from edgekd.distill.methods import Method
from edgekd.distill.runs.record import Role
from edgekd.distill.task import training_task
from edgekd.distill.teachers.checks import refuse_other_classes
from edgekd.errors import InputError
from edgekd.models import read_card, section_of
from edgekd.recipe import ModelSection, Recipe, RoleSection, TeacherSection
from edgekd.resources import checkpoint_place

__all__ = [
    "model_of",
    "model_to_train",
    "models_of",
    "role_section",
    "teacher_folders",
    "teacher_recipes",
    "teachers_method",
    "trained_teachers",
]


def role_section(recipe: Recipe, role: Role) -> RoleSection:
    """The recipe's section of a role.

    Raises:
        InputError: There is none, or it has no network.
    """
    section: RoleSection | None = getattr(recipe, role)
    if isinstance(section, TeacherSection):
        section = section.network()
    if section is None or (section.model is None and section.checkpoint is None):
        message = f"the recipe {recipe.name} has no {role} to train"
        raise InputError(message, f"add `{role}: {{model: {{arch: …}}}}`")
    return section


def teacher_recipes(recipe: Recipe) -> tuple[Recipe, ...]:
    """A recipe for each teacher, with that one alone."""
    if recipe.teacher is not None and recipe.teacher.logits is not None:
        return ()  # its outputs are in a file
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


def model_of(folder: str, kind: type[Method], split: Split, image_size: int) -> ModelSection | None:
    """The network of a trained teacher, for students of a size; None where it will be refused.

    Raises:
        InputError: It was imported, and has other classes than the data.
    """
    place, dataset = checkpoint_place(folder), split.dataset
    card = read_card(place)
    if card.imported is not None:
        refuse_other_classes(card, place, dataset.classes)
    classes = training_task(dataset.task).outputs(dataset.classes)
    if card.outputs != (len(dataset.subclass_of) if kind.learns_subclasses else classes):
        return None
    return section_of(folder, card, image_size)


def model_to_train(recipe: Recipe, role: Role) -> ModelSection:
    """The network of a role that is trained.

    Raises:
        InputError: The recipe has a checkpoint of it alone.
    """
    model = role_section(recipe, role).model
    if model is None:
        raise InputError(f"the {role} has a checkpoint but no model to train", "add `model`")
    return model


def models_of(recipe: Recipe, *, with_teacher: bool) -> list[ModelSection]:
    """The networks that see the images in a distillation, a trained teacher among them."""
    networks = [model_to_train(recipe, "student")]
    for of_one in teacher_recipes(recipe) if with_teacher else ():
        if folder := role_section(of_one, "teacher").checkpoint:
            place = checkpoint_place(folder)
            networks.append(section_of(str(place), read_card(place), recipe.image_size))
        else:
            networks.append(model_to_train(of_one, "teacher"))
    return networks


def teachers_method(split: Split) -> dict[str, Any]:
    """The method by which a teacher is trained: on subclasses where the data have them."""
    return {"name": "subclass" if split.dataset.subclass_of else "none"}


def teacher_folders(recipe: Recipe, out: Path) -> list[Path]:
    """The folder of each teacher's checkpoint, of a run in `out`."""
    several = [out / "teachers" / str(number + 1) for number, _ in enumerate(recipe.teachers)]
    sections = [role_section(each, "teacher") for each in teacher_recipes(recipe)]
    pairs = zip(sections, several or [out / "teacher"] * len(sections), strict=True)
    return [checkpoint_place(section.checkpoint or folder) for section, folder in pairs]


def trained_teachers(recipe: Recipe, out: Path) -> list[Path]:
    """The folders of the teachers that a run in `out` trains."""
    pairs = zip(teacher_recipes(recipe), teacher_folders(recipe, out), strict=True)
    return [folder for of_one, folder in pairs if not role_section(of_one, "teacher").checkpoint]
