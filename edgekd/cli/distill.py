"""`edgekd distill`."""

from __future__ import annotations

from edgekd.cli.console import say, ticker
from edgekd.cli.options import RecipeName, RunFolder, Set

__all__ = ["distill"]


def distill(recipe: RecipeName, out: RunFolder, overrides: Set = None) -> None:
    """Train the teacher (or take the one that is there) and distil the student.

    Writes OUT/teacher and OUT/student. A run that was interrupted goes on where it stopped.
    """
    from edgekd.distill import pipeline
    from edgekd.recipe import load_recipe

    request = pipeline.RunRequest(load_recipe(recipe, overrides), out, say, ticker("images"))
    pipeline.distill(request)
    say(f"wrote {out / 'student'}")
