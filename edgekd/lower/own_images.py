"""Labelled images of the user's own, on which a trained student's files are judged.

A part of them calibrates, the others judge the files and fit the decision; no weight is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from edgekd.data import Dataset, Split, load_dataset, split_dataset
from edgekd.data.table import read_table
from edgekd.errors import InputError
from edgekd.models import DataCard, ModelCard
from edgekd.models.card import SPLIT
from edgekd.recipe import SplitSection, load_recipe

__all__ = ["OwnImages", "names_trained_on", "own_data_card", "split_of"]

_TABLES = (".csv", ".tsv", ".tab")
_SHARES = SplitSection(validation=0.75, test=0.0)
"""Of a table's images a quarter calibrates; no image is left aside."""


@dataclass(frozen=True)
class OwnImages:
    """Where the images and their labels are.

    Attributes:
        place: A table (.csv, .tsv, .tab), or a recipe whose `data` and `split` sections say it.
        image_column: Column of image paths; this and what follows is of a table.
        label_columns: Column of labels; several, of findings with 1 and 0.
        group_column: Column of lesions or patients; None where every image stands alone.
        root: Folder of the images; None for that of the table.
    """

    place: str
    image_column: str = "image"
    label_columns: Sequence[str] = ("label",)
    group_column: str | None = None
    root: Path | None = None


def split_of(images: OwnImages, card: ModelCard) -> Split:
    """The images in their parts: `train` calibrates, `validation` judges.

    Args:
        images: Where they are.
        card: Card of the student, which names the classes.

    Raises:
        InputError: The table or recipe cannot be read, its images are missing, or its classes are
            not the student's.
    """
    if Path(images.place).suffix.casefold() in _TABLES:
        section = _section(images, card)
        return split_dataset(load_dataset(section, card.task), _SHARES)
    recipe = load_recipe(images.place)
    if recipe.task != card.task:
        message = f"the recipe {recipe.name} is for the task {recipe.task}"
        raise InputError(message, f"the student is for {card.task}: give images with such labels")
    dataset = load_dataset(recipe.data, recipe.task)
    return split_dataset(_in_order(dataset, card), recipe.split)


def own_data_card(split: Split) -> DataCard:
    """The card of the images, without their place."""
    dataset = split.dataset
    return DataCard(
        name=dataset.name,
        root="",
        sha256=split.sha256(),
        images=split.counts(),
        licence=dataset.licence,
        citation=dataset.citation,
    )


def names_trained_on(folder: Path, split: Split) -> list[str]:
    """The judging images that bear the name of an image that the student was trained on.

    Args:
        folder: The student's checkpoint.
        split: The images in their parts.
    """
    file = folder / SPLIT
    if not file.is_file():
        return []
    rows = read_table(file, ("image", "part"), verbatim=True)
    trained = {PurePosixPath(row["image"]).stem for row in rows if row["part"] == "train"}
    names = (split.dataset.samples[index].image for index in split.indices("validation"))
    return [name for name in names if PurePosixPath(name).stem in trained]


def _section(images: OwnImages, card: ModelCard) -> dict[str, Any]:
    """The `data` section of a recipe that reads the table."""
    labels = list(images.label_columns)
    options: dict[str, Any] = {
        "source": "csv",
        "file": images.place,
        "image_column": images.image_column,
        "classes": list(card.classes),
        "ordered": card.ordered,
    }
    options |= {"label_columns": labels} if len(labels) > 1 else {"label_column": labels[0]}
    optional = {"group_column": images.group_column, "root": images.root and str(images.root)}
    return options | {key: value for key, value in optional.items() if value is not None}


def _in_order(dataset: Dataset, card: ModelCard) -> Dataset:
    """The data set with its classes in the student's order."""
    if set(dataset.classes) != set(card.classes):
        message = f"the images are of {', '.join(dataset.classes)}"
        hint = f"the student knows {', '.join(card.classes)}: rename or `merge` the classes"
        raise InputError(message, hint)
    return replace(dataset, classes=card.classes)
