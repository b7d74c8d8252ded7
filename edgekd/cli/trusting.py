"""`--trust-code` of a command: the classes that its recipe and checkpoints name may be imported.

A recipe or a checkpoint is data that is passed around, and must not run code by itself; who gives
the flag says that this one may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import say

if TYPE_CHECKING:
    from edgekd.recipe import Recipe

__all__ = ["TrustCode", "trust_checkpoints", "trust_recipe"]

TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code",
        help="Import and run the classes (package.module:Class) that the recipe or the checkpoints "
        "name as their networks.",
    ),
]


def trust_recipe(recipe: Recipe, *, trusted: bool) -> None:
    """Trust the classes that a recipe and the checkpoints in it name, where the user said so.

    Args:
        recipe: The recipe.
        trusted: Whether `--trust-code` was given; without it nothing is trusted.

    Raises:
        InputError, ArtefactError: A checkpoint that the recipe names cannot be read.
    """
    if trusted:
        _trust([*_classes_of(recipe), *map(_class_in, _checkpoints_of(recipe))])


def trust_checkpoints(folders: Iterable[Path | None], *, trusted: bool) -> None:
    """Trust the classes of checkpoints and of their teachers, where the user said so.

    Args:
        folders: Folders of checkpoints, or of runs with `student` in them; other places, such as
            bundles, hold no code.
        trusted: Whether `--trust-code` was given.

    Raises:
        ArtefactError: A checkpoint is damaged.
    """
    if trusted:
        places = [place for folder in folders if folder for place in _checkpoints_at(folder)]
        _trust([_class_in(place) for place in places if (place / "model.json").is_file()])


def _checkpoints_at(folder: Path) -> Iterator[Path]:
    """Where a checkpoint may be: the folder itself, the roles of a run, and a student's teacher."""
    from edgekd.lower.teacher import teacher_in_recipe

    for place in (folder, folder / "teacher", folder / "student"):
        yield place
        teacher = teacher_in_recipe(place)
        if teacher is not None:
            yield teacher


def _trust(architectures: Iterable[str]) -> None:
    from edgekd.models.libraries import is_own_class
    from edgekd.models.trust import trust

    for arch in dict.fromkeys(architectures):
        if is_own_class(arch):
            trust(arch)
            say(f"--trust-code: {arch} is imported and run")


def _classes_of(recipe: Recipe) -> Iterator[str]:
    for section in (recipe.student, recipe.teacher, *recipe.teachers):
        if section is not None and section.model is not None:
            yield section.model.arch


def _checkpoints_of(recipe: Recipe) -> Iterator[Path]:
    for section in recipe.teacher_networks:
        if section.checkpoint is not None:
            yield Path(section.checkpoint)


def _class_in(folder: Path) -> str:
    from edgekd.models.card import read_card

    return read_card(folder).arch
