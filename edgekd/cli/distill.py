"""`edgekd distill`."""

from __future__ import annotations

from edgekd.cli.console import say, ticker
from edgekd.cli.options import Continuation, RecipeName, Resume, RunFolder, Set
from edgekd.cli.recipes import read_recipe

__all__ = ["distill"]


def distill(
    recipe: RecipeName,
    out: RunFolder,
    resume: Resume = Continuation.auto,
    overrides: Set = None,
) -> None:
    """Train the teacher (or reuse a finished one) and distil the student.

    Writes OUT/teacher and OUT/student. An interrupted run continues where it stopped.
    """
    loaded = read_recipe(recipe, overrides)
    from edgekd.distill.runs import pipeline

    request = pipeline.RunRequest(loaded, out, say, ticker("images"), resume == Continuation.auto)
    pipeline.distill(request)
    say(f"wrote {out / 'student'}")
