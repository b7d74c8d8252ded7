"""`edgekd logits`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import say, ticker
from edgekd.cli.options import ImageColumn, Set
from edgekd.cli.places import Reads, Writes
from edgekd.cli.recipes import read_recipe
from edgekd.cli.trusting import TrustCode, trust_checkpoints
from edgekd.errors import InputError

if TYPE_CHECKING:
    from edgekd.recipe import Recipe

__all__ = ["logits"]


def logits(
    teacher: Annotated[
        Path, Reads.CHECKPOINT, typer.Argument(help="The teacher's checkpoint, or an import.")
    ],
    out: Annotated[Path, Writes.FILE, typer.Option(help="The file: .npz, .csv or .parquet.")],
    csv: Annotated[
        Path | None,
        Reads.TABLE,
        typer.Option(help="Table of images; labels are not read."),
    ] = None,
    images: Annotated[
        Path | None,
        Reads.IMAGES,
        typer.Option(help="Folder of these images; by default that of the table."),
    ] = None,
    image_column: ImageColumn = "image",
    recipe: Annotated[
        str | None,
        Reads.RECIPE,
        typer.Option(
            metavar="RECIPE",
            help="The students' recipe: its image_size and augment, and without --csv the "
            "training part of its data.",
        ),
    ] = None,
    views: Annotated[
        int, typer.Option(help="Augmented views of each image; 0 for the image itself.")
    ] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the views.")] = 0,
    overrides: Set = None,
    trust_code: TrustCode = False,
) -> None:
    """Write a teacher's outputs to a file, from which students elsewhere are trained.

    Such a student's recipe has `teacher: {logits: FILE}`, and the same `augment`.
    """
    if csv is None and recipe is None:
        message = "nothing says which images: --csv and --recipe are missing"
        raise InputError(message, "give --csv TABLE, the students' --recipe, or both")
    if not 0 <= views <= 1000:
        raise InputError(f"--views {views} is no number of views", "give one of 0 to 1000")
    loaded = _recipe(recipe, overrides)
    trust_checkpoints([teacher], trusted=trust_code)
    from edgekd.models.card import read_card, refuse_damaged

    refuse_damaged(teacher, read_card(teacher))  # before any image is looked at
    from edgekd.distill.samples.run_samples import load_split
    from edgekd.distill.teachers.logits_file import LogitsRequest, images_of_table, write_logits

    if csv is None:
        split = load_split(loaded, say)
    else:
        split = images_of_table(csv, images or csv.parent, teacher, image_column)
    request = LogitsRequest(teacher, loaded, split, views, seed, out, say, ticker("images"))
    content = write_logits(request)
    shape = " x ".join(str(size) for size in content.outputs.shape)
    say(f"wrote {out}: outputs {shape} (images, views, classes)")


def _recipe(name: str | None, overrides: list[str] | None) -> Recipe:
    """The students' recipe, or one of default values for a table alone."""
    if name is not None:
        return read_recipe(name, overrides)
    from edgekd.recipe import recipe_of

    raw = {"name": "logits", "data": {"source": "csv", "file": "none"}}
    return recipe_of(raw, overrides, "--set")
