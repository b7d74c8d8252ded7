"""Arguments shared by several verbs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.places import Reads, Writes

__all__ = [
    "Continuation",
    "DropLabels",
    "DryRun",
    "Force",
    "GroupColumn",
    "ImageColumn",
    "ImageList",
    "ImageRoot",
    "Json",
    "LabelColumn",
    "Log",
    "MapLabels",
    "Quiet",
    "RecipeName",
    "Resume",
    "RunFolder",
    "Set",
    "SignersKey",
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
ImageColumn = Annotated[str, typer.Option(help="Column of image paths.")]
LabelColumn = Annotated[
    str, typer.Option(help="Column of labels; several with commas, of findings with 1 and 0.")
]
GroupColumn = Annotated[
    str | None,
    typer.Option(help="Column of lesions or patients, which intervals take as independent."),
]
ImageRoot = Annotated[
    Path | None,
    Reads.IMAGES,
    typer.Option(help="Folder of the images; by default that of the table."),
]
MapLabels = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="LABEL=CLASS|FILE",
        help="The class that a label of the table stands for, or a file of such lines.",
    ),
]
DropLabels = Annotated[
    list[str] | None,
    typer.Option("--drop", metavar="LABEL", help="Leave images of this label out."),
]
SignersKey = Annotated[
    Path | None,
    Reads.PUBLIC_KEY,
    typer.Option("--public-key", help="Ed25519 key as PEM that the bundle must be signed with."),
]
ImageList = Annotated[
    bool,
    typer.Option(
        "--image-list/--no-image-list",
        help="Add short hashes of these images to the bundle's list, by which `edgekd eval` "
        "notices a test on them.",
    ),
]
Tighten = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LIMIT=VALUE",
        help="Make a limit of the gate, or a floor of the policy, stricter.",
    ),
]
