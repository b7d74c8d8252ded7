"""`edgekd init`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say
from edgekd.cli.places import Reads, Writes
from edgekd.errors import EdgekdError, InputError

__all__ = ["init"]

_NONE = "none"
_TEACHER, _STUDENT, _TARGET = "tf_efficientnet_lite2", "tf_efficientnet_lite0", "all"
_PACKAGED = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
"""Architectures whose ImageNet weights come as a Python package."""


def init(
    out: Annotated[Path, Writes.NEW_FILE, typer.Option(help="The recipe to write.")] = Path(
        "recipe.yaml"
    ),
    data: Annotated[
        str | None,
        Reads.DATA,
        typer.Option(metavar="TABLE|FOLDER", help="A table of images, or a data set's folder."),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="ARCH|FOLDER|none",
            help="An architecture of timm, or the folder of a trained teacher; "
            f"{_TEACHER} where nothing is given.",
        ),
    ] = None,
    student: Annotated[str, typer.Option(help="An architecture of timm.")] = _STUDENT,
    target: Annotated[
        str | None, typer.Option(help="Devices, as `edgekd build` takes them; all by default.")
    ] = None,
    image_column: Annotated[str | None, typer.Option(help="The table's column of images.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The table's column of labels.")] = None,
    group_column: Annotated[
        str | None, typer.Option(help="The table's column of lesions or patients.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Policy of the domain; by default that of a known data set.")
    ] = None,
) -> None:
    """Write a commented recipe for your data: asks for what no option says, on a terminal.

    The columns of a table are recognised by their names where they can be.
    """
    from edgekd.data.sniffing import ColumnChoice, sniff
    from edgekd.files import write_atomically
    from edgekd.recipe.starter import Starter, starter_text
    from edgekd.targets import resolve_targets

    if out.exists():
        raise InputError(f"{out} exists", "choose another --out, or remove it")
    place = data or _answer_to("Table of images, or folder of the data set")
    sniffed = sniff(place, ColumnChoice(image_column, label_column, group_column))
    network = teacher or _answer_to(
        "Teacher: architecture of timm, trained folder, or none", _TEACHER
    )
    devices = target or _answer_to("Target devices", _TARGET)
    resolve_targets(devices)
    starter = Starter(
        name=out.stem,
        file=str(out),
        data=sniffed.section,
        comments=sniffed.comments,
        policy=policy or sniffed.policy,
        teacher=_network(network),
        student=_network(student) or {},
        target=devices,
    )
    write_atomically(out, starter_text(starter))
    try:
        _check(out)
    except EdgekdError:
        out.unlink()
        raise
    say(f"wrote {out}; next: edgekd data inspect {out}")


def _answer_to(question: str, default: str | None = None) -> str:
    """The answer on a terminal; elsewhere the default.

    Raises:
        InputError: There is neither a terminal nor a default.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return str(typer.prompt(question, default=default, err=True))
    if default is None:
        raise InputError("where the data are is not said", "give --data TABLE or --data FOLDER")
    return default


def _network(name: str) -> dict[str, str] | None:
    if name == _NONE:
        return None
    if Path(name).is_dir():
        return {"checkpoint": name}
    return {"arch": name, "pretrained": "package" if name in _PACKAGED else "hub"}


def _check(recipe: Path) -> None:
    """Read the recipe as every verb does."""
    from edgekd.cli.recipes import read_recipe

    read_recipe(str(recipe), None)
