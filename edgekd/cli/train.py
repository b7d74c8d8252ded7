"""`edgekd train`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say, ticker
from edgekd.cli.options import RecipeName, Set

__all__ = ["train"]


class Role(str, Enum):
    """Which network of the recipe."""

    teacher = "teacher"
    student = "student"


def train(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option("--out", help="Folder of the checkpoint.")],
    role: Annotated[Role, typer.Option(help="Which network of the recipe.")] = Role.teacher,
    overrides: Set = None,
) -> None:
    """Train the teacher, or the student without any teacher."""
    from edgekd.distill import pipeline
    from edgekd.recipe import load_recipe

    request = pipeline.RunRequest(load_recipe(recipe, overrides), out, say, ticker("images"))
    pipeline.train(request, role.value)
    say(f"wrote {out}")
