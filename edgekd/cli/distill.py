"""`edgekd distill`."""

from __future__ import annotations

from edgekd.cli.console import say, ticker
from edgekd.cli.options import (
    Continuation,
    DryRun,
    Force,
    Log,
    Quiet,
    RecipeName,
    Resume,
    RunFolder,
    Set,
)
from edgekd.cli.output import output_of, training_output
from edgekd.cli.recipes import read_recipe
from edgekd.cli.trusting import TrustCode, trust_recipe

__all__ = ["distill"]


def distill(
    recipe: RecipeName,
    out: RunFolder,
    resume: Resume = Continuation.auto,
    force: Force = False,
    dry_run: DryRun = False,
    overrides: Set = None,
    trust_code: TrustCode = False,
    quiet: Quiet = False,
    log: Log = None,
) -> None:
    """Train the teacher (or reuse a finished one) and distil the student.

    Writes OUT/teacher and OUT/student. An interrupted run continues where it stopped. Figures of
    the validation part are printed, those of the test part are not.
    """
    with output_of(quiet, log):
        loaded = read_recipe(recipe, overrides)
        trust_recipe(loaded, trusted=trust_code)
        from edgekd.distill.runs import pipeline

        request = pipeline.RunRequest(
            loaded,
            out,
            say,
            ticker("images"),
            resume == Continuation.auto,
            force,
            output=training_output(),
        )
        if dry_run:
            from edgekd.distill.runs.dry_run import dry_run as expect

            print(expect(request).text())
            return
        pipeline.distill(request)
        say(f"wrote {out / 'student'}")
