"""`edgekd students`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekd.cli.console import emit_json, say
from edgekd.cli.options import Json
from edgekd.resources import student_folder, student_folders

if TYPE_CHECKING:
    from edgekd.lower.shipped.student import ShippedStudent

__all__ = ["students"]


def students(
    name: Annotated[
        str | None, typer.Argument(help="Show this student's card; without, list all.")
    ] = None,
    json: Json = False,
) -> None:
    """List the trained students that edgekd ships, or show the card of one.

    A name stands for the checkpoint wherever one is expected: `edgekd build --model NAME`,
    `edgekd eval NAME`, `checkpoint: NAME` in a recipe.
    """
    if name is not None:
        _show(student_folder(name), json=json)
        return
    known = [_facts(folder) for _, folder in sorted(student_folders().items())]
    if json:
        emit_json(known)
        return
    for facts in known:
        print(_line(facts))
    if not known:
        say("no student ships with this edgekd; EDGEKD_STUDENTS names a folder of more")


def _show(folder: Path, *, json: bool) -> None:
    from edgekd.lower.shipped.student import STUDENT_CARD
    from edgekd.seals import read_checked

    if json:
        emit_json(_facts(folder))
    else:
        print(read_checked(folder / STUDENT_CARD).decode(), end="")


def _facts(folder: Path) -> dict[str, Any]:
    from edgekd.lower.shipped.student import read_student

    return _facts_of(read_student(folder))


def _facts_of(student: ShippedStudent) -> dict[str, Any]:
    from edgekd.models.card import WEIGHTS

    card = student.card
    return {
        "name": student.name,
        "folder": str(student.folder),
        "arch": card.arch,
        "image_size": card.image_size,
        "classes": card.classes,
        "params": card.params,
        "size_bytes": (student.folder / WEIGHTS).stat().st_size,
        "method": card.training.method,
        "data": card.data.name,
        "licence": card.data.licence,
        "citation": card.data.citation,
        "certified": {
            name: manifest.lowering.precision for name, manifest in student.certificates.items()
        },
    }


def _line(facts: dict[str, Any]) -> str:
    certified = ", ".join(f"{name} {rung}" for name, rung in facts["certified"].items())
    return (
        f"{facts['name']}: {facts['arch']}, {facts['image_size']} px, "
        f"{len(facts['classes'])} classes of {facts['data']}, {facts['size_bytes'] / 1e6:.1f} MB, "
        f"{facts['licence'] or 'licence unknown'}; certified: {certified or 'nothing'}"
    )
