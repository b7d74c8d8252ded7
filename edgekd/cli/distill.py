"""`edgekd distill`."""

from __future__ import annotations

from edgekd.cli.console import say, ticker
from edgekd.cli.options import RecipeName, RunFolder, Set
from edgekd.cli.recipes import read_recipe

__all__ = ["distill"]


def distill(recipe: RecipeName, out: RunFolder, overrides: Set = None) -> None:
    """Train the teacher (or take the one that is there) and distil the student.

    Writes OUT/teacher and OUT/student. A run that was interrupted goes on where it stopped.
    """
    wanted = read_recipe(recipe, overrides)
    from edgekd.distill import pipeline

    request = pipeline.RunRequest(wanted, out, say, ticker("images"))
    pipeline.distill(request)
    say(f"wrote {out / 'student'}")
