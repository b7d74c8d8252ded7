"""Recipes: the typed and validated description of a run, with defaults.

A recipe is YAML, one module for each of its sections. Sections whose keys depend on a choice
(`data.source`, `method.name`) keep those keys as options, which the chosen source or method
validates with `convert`.
"""

from edgekd.recipe.augment import AugmentSection
from edgekd.recipe.files import load_recipe, recipe_of
from edgekd.recipe.finish import FinishSection
from edgekd.recipe.fit import AdamSection, FitSection, LossSection, OptimiserSection
from edgekd.recipe.recipe import Recipe
from edgekd.recipe.roles import CacheSection, ModelSection, RoleSection, TeacherSection
from edgekd.recipe.section import (
    Balance,
    Balancing,
    Fraction,
    Positive,
    Rate,
    Section,
    Seed,
    convert,
    fingerprint,
)
from edgekd.recipe.split import SplitSection
from edgekd.recipe.trainer import CheckpointSection, TrainerSection

__all__ = [
    "AdamSection",
    "AugmentSection",
    "Balance",
    "Balancing",
    "CacheSection",
    "CheckpointSection",
    "FinishSection",
    "FitSection",
    "Fraction",
    "LossSection",
    "ModelSection",
    "OptimiserSection",
    "Positive",
    "Rate",
    "Recipe",
    "RoleSection",
    "Section",
    "Seed",
    "SplitSection",
    "TeacherSection",
    "TrainerSection",
    "convert",
    "fingerprint",
    "load_recipe",
    "recipe_of",
]
