"""`edgekd data`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import emit_json, say, ticker
from edgekd.cli.options import Json, RecipeName, Set
from edgekd.cli.places import Writes, with_checked_places
from edgekd.cli.recipes import read_recipe

__all__ = ["app"]

app = typer.Typer(help="Check a data set before anything is trained on it.", no_args_is_help=True)


def inspect(
    recipe: RecipeName,
    overrides: Set = None,
    sheet: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="PNG for a contact sheet, a row for each class."),
    ] = None,
    json: Json = False,
) -> None:
    """Show a recipe's classes, parts, leaks and damaged images, and a contact sheet."""
    from edgekd.data.inspection import inspect_split, sheet_of
    from edgekd.data.sources import load_dataset
    from edgekd.data.split import split_dataset
    from edgekd.errors import ImageError

    loaded = read_recipe(recipe, overrides)
    split = split_dataset(load_dataset(loaded.data, loaded.task), loaded.split)
    if sheet is not None and sheet.is_file():
        _refuse_data(sheet, [*split.dataset.paths(), Path(str(loaded.data.get("file", "")))])
    inspection = inspect_split(split, loaded.image_size, ticker("images"))
    if json:
        emit_json(inspection)
    else:
        print(inspection.text())
    if sheet is not None:
        sheet_of(split, sheet, skip=inspection.damaged)
        say(f"wrote {sheet}")
    if inspection.damaged:
        message = f"{len(inspection.damaged)} of {len(split.parts)} images cannot be decoded"
        raise ImageError(message, "repair or remove those listed; training would stop at them")


def _refuse_data(sheet: Path, data: Sequence[Path]) -> None:
    """Refuse a contact sheet that would replace a file of the data set."""
    from edgekd.errors import InputError

    place = os.path.realpath(sheet)
    if any(os.path.realpath(path) == place for path in data):
        message = f"{sheet} belongs to the data set"
        raise InputError(message, "choose another place for the contact sheet")


def prepare(recipe: RecipeName, overrides: Set = None) -> None:
    """Decode a recipe's images into the cache, so that training starts at once."""
    from edgekd.data import decoded_at_sizes, load_dataset, split_dataset

    loaded = read_recipe(recipe, overrides)
    # The split leaves out rows for training alone whose lesion is tested.
    dataset = split_dataset(load_dataset(loaded.data, loaded.task), loaded.split).dataset
    size = loaded.image_size
    sizes = sorted({size, loaded.augment.decoded_size(size)})
    images, *_ = decoded_at_sizes(dataset, sizes, ticker("images"))
    for note in dataset.notes:
        say(f"note: {note}")
    shown = " and ".join(map(str, sizes))
    say(f"{len(images)} images of {dataset.name} at {shown} pixels are in the cache")


app.command("inspect")(with_checked_places(inspect))
app.command("prepare")(with_checked_places(prepare))
