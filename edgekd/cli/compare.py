"""`edgekd compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import emit_json, say, speaks, ticker
from edgekd.cli.options import RunFolder, Set
from edgekd.cli.places import STDOUT, Reads, Writes
from edgekd.cli.recipes import read_recipe
from edgekd.errors import InputError

__all__ = ["compare"]


def compare(
    recipes: Annotated[
        list[str],
        Reads.RECIPE,
        typer.Argument(metavar="RECIPE…", help="One recipe for each method."),
    ],
    out: RunFolder,
    seeds: Annotated[str, typer.Option(help="Seeds, with commas.")] = "0,1,2",
    folds: Annotated[
        int, typer.Option(help="Cross-validate in so many folds; 0 takes the recipes' test part.")
    ] = 0,
    overrides: Set = None,
    json: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option("--json", help="File for the table; - is stdout."),
    ] = None,
    markdown: Annotated[
        Path | None, Writes.FILE, typer.Option(help="File for the table as Markdown.")
    ] = None,
) -> None:
    """Train methods over the same data, split and seeds, beside the undistilled student.

    What is trained already is reused, so an interrupted comparison goes on where it stopped.
    """
    loaded = [read_recipe(name, overrides) for name in recipes]
    numbers, parts = _seeds(seeds), _folds(folds)
    from edgekd.distill import compare as comparing
    from edgekd.files import write_whole

    request = comparing.CompareRequest(loaded, numbers, out, say, ticker("images"), parts)
    found = comparing.compare(request)
    if not speaks():
        return
    text = comparing.markdown(found)
    if markdown is not None:
        write_whole(markdown, text)
        say(f"wrote {markdown}")
    if json is not None:
        emit_json(found, None if json == STDOUT else json)
    if json != STDOUT:
        print(text, end="")


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds {text} are no whole numbers", "write e.g. 0,1,2") from None
    if len(set(seeds)) != len(seeds):
        raise InputError(f"--seeds {text} name one twice", "give each seed once")
    return seeds


def _folds(count: int) -> int:
    if count != 0 and count < 2:
        raise InputError(f"--folds {count} are none", "give 2 or more")
    return count
