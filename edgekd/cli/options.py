"""Arguments shared by several verbs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.places import Reads, Writes

__all__ = [
    "Continuation",
    "DryRun",
    "Force",
    "Json",
    "Log",
    "Quiet",
    "RecipeName",
    "Resume",
    "RunFolder",
    "Set",
    "recipes_beginning",
]


class Continuation(str, Enum):
    """What becomes of an earlier run in the same folder."""

    auto = "auto"
    never = "never"


def recipes_beginning(incomplete: str) -> list[str]:
    """The shipped recipes whose name begins so, for the shell's completion."""
    from edgekd.resources import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete)]


RecipeName = Annotated[
    str,
    Reads.RECIPE,
    typer.Argument(
        metavar="RECIPE",
        help="A YAML file, or the name of a shipped recipe.",
        autocompletion=recipes_beginning,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. student.fit.epochs=20."),
]
Resume = Annotated[
    Continuation,
    typer.Option(
        help="auto continues an interrupted run and reuses a finished one; never begins again."
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace the finished run of another recipe in --out, which is refused otherwise.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Train nothing: take some steps of each stage, say what time and memory to expect, "
        "and write nothing.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors and results alone.")]
Log = Annotated[
    Path | None,
    Writes.FILE,
    typer.Option("--log", help="File that all progress is appended to, with date and time."),
]
RunFolder = Annotated[Path, Writes.FOLDER, typer.Option("--out", help="Folder of the run.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON to stdout.")]
