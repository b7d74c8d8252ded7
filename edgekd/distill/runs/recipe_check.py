"""Check of every network that a recipe names, before any image of it is decoded."""

from __future__ import annotations

from collections.abc import Iterator

from edgekd.data import Split
from edgekd.distill.methods import resolve_method
from edgekd.distill.runs.pipeline import (
    check_machine,
    check_networks,
    distillation_plans,
    training_plan,
)
from edgekd.distill.runs.roles import models_of
from edgekd.distill.runs.trial import Planned
from edgekd.recipe import Recipe

__all__ = ["check_recipe"]


def check_recipe(recipe: Recipe, split: Split) -> None:
    """Build the networks of a recipe and their methods once, as training will.

    A recipe without a teacher or a student is checked as far as it goes.

    Raises:
        InputError: There is no such architecture, the pretrained weights cannot be read, a key of
            the method is wrong, or the networks, the method and the data do not fit.
        MissingDependencyError: A package that the recipe needs is missing.
    """
    check_machine(recipe)
    kind, _ = resolve_method(recipe.method, recipe.task)
    if recipe.student and (recipe.teacher_networks or not kind.needs_teacher):
        networks = models_of(recipe, with_teacher=kind.needs_teacher)
        check_networks(recipe, split, networks, distillation_plans(recipe, split))
    else:
        plans = list(_alone(recipe, split))
        check_networks(recipe, split, [plan.model for plan in plans], plans)


def _alone(recipe: Recipe, split: Split) -> Iterator[Planned]:
    """The trainings of the networks that there are, each without the other."""
    if recipe.student and recipe.student.model:
        yield training_plan(recipe, "student", split)
    if recipe.teacher and recipe.teacher.model:
        yield training_plan(recipe, "teacher", split)
