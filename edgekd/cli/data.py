"""`edgekd data`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, report_error, say, ticker
from edgekd.cli.options import Json, RecipeName, Set
from edgekd.cli.places import Writes, with_checked_places
from edgekd.cli.recipes import read_recipe
from edgekd.cli.trusting import TrustCode, trust_recipe
from edgekd.errors import EdgekdError, GateFailedError, ImageError, InputError

if TYPE_CHECKING:
    from edgekd.data import Split
    from edgekd.data.inspection import Inspection
    from edgekd.recipe import Recipe

__all__ = ["app"]

app = typer.Typer(help="Check a data set before anything is trained on it.", no_args_is_help=True)


def inspect(
    recipe: RecipeName,
    overrides: Set = None,
    trust_code: TrustCode = False,
    sheet: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="PNG for a contact sheet, a row for each class."),
    ] = None,
    allow_leaks: Annotated[
        bool,
        typer.Option("--allow-leaks", help="Copies of an image in several parts are no failure."),
    ] = False,
    json: Json = False,
) -> None:
    """Show a recipe's classes, parts, leaks and damaged images; check its networks and method.

    Exit codes: 0 nothing is wrong; 2 an image is damaged, or a network, a method or a key is wrong;
    4 copies of an image lie in several parts.
    """
    from edgekd.data.inspection import inspect_split, sheet_of
    from edgekd.data.sources import load_dataset
    from edgekd.data.split import split_dataset

    loaded = read_recipe(recipe, overrides)
    trust_recipe(loaded, trusted=trust_code)
    split = split_dataset(load_dataset(loaded.data, loaded.task), loaded.split)
    if sheet is not None and sheet.is_file():
        _refuse_data(sheet, [*split.dataset.paths(), Path(str(loaded.data.get("file", "")))])
    of_networks = _network_errors(loaded, split)
    inspection = inspect_split(split, loaded.image_size, ticker("images"))
    if json:
        emit_json(inspection)
    else:
        print(inspection.text())
    if sheet is not None:
        sheet_of(split, sheet, skip=inspection.damaged)
        say(f"wrote {sheet}")
    errors = [*_data_errors(inspection, allow_leaks=allow_leaks), *of_networks]
    for error in errors:
        report_error(error)
    if errors:
        raise typer.Exit(errors[0].exit_code)


def _network_errors(recipe: Recipe, split: Split) -> list[EdgekdError]:
    """The first error in the recipe's networks and method; none where torch is not installed."""
    if find_spec("torch") is None:
        say("note: networks and method were not checked: pip install 'edgekd[distill]'")
        return []
    from edgekd.distill.runs.recipe_check import check_recipe

    try:
        check_recipe(recipe, split)
    except EdgekdError as error:
        return [error]
    return []


def _data_errors(inspection: Inspection, *, allow_leaks: bool) -> list[EdgekdError]:
    errors: list[EdgekdError] = []
    if inspection.damaged:
        message = f"{len(inspection.damaged)} of {inspection.total} images cannot be decoded"
        hint = "repair or remove those listed; training would stop at them"
        errors.append(ImageError(message, hint))
    if inspection.leaks and not allow_leaks:
        first = " = ".join(inspection.leaks[0])
        message = f"{len(inspection.leaks)} images have copies in several parts: {first}"
        hint = "remove the copies, or give them one lesion or patient; --allow-leaks accepts them"
        errors.append(GateFailedError(message, hint))
    return errors


def _refuse_data(sheet: Path, data: Sequence[Path]) -> None:
    """Refuse a contact sheet that would replace a file of the data set."""
    place = os.path.realpath(sheet)
    if any(os.path.realpath(path) == place for path in data):
        message = f"{sheet} belongs to the data set"
        raise InputError(message, "choose another place for the contact sheet")


def prepare(recipe: RecipeName, overrides: Set = None) -> None:
    """Decode a recipe's images into the cache, so that training starts at once."""
    from edgekd.data import decoded_at_sizes, load_dataset

    loaded = read_recipe(recipe, overrides)
    dataset = load_dataset(loaded.data, loaded.task)
    sizes = sorted({loaded.image_size, loaded.augment.decoded_size(_largest_side(loaded))})
    images, *_ = decoded_at_sizes(dataset, sizes, ticker("images"))
    for note in dataset.notes:
        say(f"note: {note}")
    shown = " and ".join(map(str, sizes))
    say(f"{len(images)} images of {dataset.name} at {shown} pixels are in the cache")


def _largest_side(recipe: Recipe) -> int:
    """The side in pixels that training images are augmented at: a teacher may see more."""
    files = [section.checkpoint for section in recipe.teacher_networks]
    if recipe.teacher is not None:
        files.append(recipe.teacher.logits)
    if not any(files) or find_spec("torch") is None:  # without it nothing is trained here
        return recipe.image_size
    from edgekd.distill.teachers.sides import crop_side

    return crop_side(recipe)


app.command("inspect")(with_checked_places(inspect))
app.command("prepare")(with_checked_places(prepare))
