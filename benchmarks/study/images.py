"""The study's images, for its scripts that train nothing: their options, data set and split."""

from __future__ import annotations

import argparse
from pathlib import Path

from design import HERE
from msgspec.structs import replace

from edgekd.data import Split
from edgekd.data.dataset import Dataset
from edgekd.distill.samples.run_samples import load_split
from edgekd.errors import InputError
from edgekd.recipe import load_recipe

__all__ = ["class_index", "options_of", "read_split"]


def options_of(docstring: str | None) -> argparse.ArgumentParser:
    """A parser with a script's docstring as its help, and options for data set and recipe."""
    summary, _, rest = (docstring or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of ham10000_lesions_224")
    parser.add_argument("--recipe", default=str(HERE / "recipes" / "student.yaml"))
    return parser


def read_split(recipe: str, folder: Path) -> Split:
    """The images of a folder, split as a recipe says.

    Raises:
        InputError: The recipe or the images cannot be read.
    """
    read = load_recipe(recipe)
    return load_split(replace(read, data={**read.data, "root": str(folder)}))


def class_index(dataset: Dataset, name: str) -> int:
    """The index of a class.

    Raises:
        InputError: There is none of that name.
    """
    if name not in dataset.classes:
        message = f"there is no class {name!r}"
        raise InputError(message, f"known: {', '.join(dataset.classes)}")
    return dataset.classes.index(name)
