"""`edgekd recipes`."""

from __future__ import annotations

import re
import sys
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import emit_json
from edgekd.cli.options import Json, recipes_beginning
from edgekd.errors import InputError

__all__ = ["recipes"]


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Print the text of this recipe.",
            autocompletion=recipes_beginning,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the shipped recipes, or print one, to be changed and given as a file.

    `edgekd recipes ham10000-kd > mine.yaml`, then `edgekd distill mine.yaml --out DIR`.
    """
    from edgekd.resources import recipe_file, recipe_names

    if name is None:
        listed = {each: summary_of(each) for each in recipe_names()}
        if json:
            emit_json(listed)
        else:
            width = max(map(len, listed))
            print("\n".join(f"{each:{width}}  {text}" for each, text in listed.items()))
        return
    file = recipe_file(name)
    if file is None:
        import difflib

        near = difflib.get_close_matches(name, recipe_names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"edgekd ships no recipe {name!r}", f"{hint}`edgekd recipes` lists them")
    if json:
        from edgekd.recipe import load_recipe

        emit_json(load_recipe(name))
    else:
        sys.stdout.write(text_of(file))


def summary_of(name: str) -> str:
    """The first sentence of the comment that a shipped recipe begins with."""
    from edgekd.resources import recipe_file

    file = recipe_file(name)
    lines = text_of(file).splitlines() if file else []
    comment = " ".join(line.lstrip("# ") for line in takewhile(_is_comment, lines))
    return re.split(r"\.\s+(?=[A-Z]|--set)|\.$", comment)[0]


def text_of(file: Path) -> str:
    """A shipped recipe without the line that names its schema, which lies beside it alone."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# yaml-language-server:"))


def _is_comment(line: str) -> bool:
    return line.startswith("#")
