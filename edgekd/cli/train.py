"""`edgekd train`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say, ticker
from edgekd.cli.options import Continuation, RecipeName, Resume, Set
from edgekd.cli.places import Writes
from edgekd.cli.recipes import read_recipe

__all__ = ["train"]


class Role(str, Enum):
    """A network of the recipe."""

    teacher = "teacher"
    student = "student"


def train(
    recipe: RecipeName,
    out: Annotated[Path, Writes.FOLDER, typer.Option("--out", help="Folder of the checkpoint.")],
    role: Annotated[Role, typer.Option(help="Which network of the recipe.")] = Role.teacher,
    resume: Resume = Continuation.auto,
    overrides: Set = None,
) -> None:
    """Train the teacher, or the student without any teacher.

    An interrupted run continues where it stopped.
    """
    loaded = read_recipe(recipe, overrides)
    from edgekd.distill.runs import pipeline

    request = pipeline.RunRequest(loaded, out, say, ticker("images"), resume == Continuation.auto)
    pipeline.train(request, role.value)
    say(f"wrote {out}")
