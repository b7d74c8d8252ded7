"""Soft labels of a file, matched with the images of a run by name, or refused.

A file of other images, of other classes, of another augmentation or of another preprocessing would
teach nonsense quietly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.data.augment import Augmentation
from edgekd.data.damage import cores
from edgekd.data.task import data_task
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.teachers.fixed_views import FixedViews
from edgekd.distill.teachers.soft_label_files import SoftLabelFile, read_soft_label_file
from edgekd.distill.teachers.soft_labels import SoftLabelFacts, SoftLabels
from edgekd.errors import ArtefactError, InputError
from edgekd.files import sha256_of
from edgekd.models.card import Gives
from edgekd.recipe import Recipe
from edgekd.runtime.preprocess import RULE

__all__ = ["HASH", "NamedLabels", "match_labels", "views_of_facts"]

HASH = 16
"""Hex digits of an image's hash that a file keeps."""

_SLACK = 1e-2
"""By how much probabilities that were written with few digits may sum to more than 1."""


@dataclass(frozen=True)
class NamedLabels:
    """The soft labels of a run's training images.

    Attributes:
        labels: Their outputs for K views, in the classes' order of the run; the file's other images
            are left out.
        fixed: The views, as the file was made with; None where it has the images themselves.
        sha256: Hash of the file.
        notes: What the file does not say, for people.
    """

    labels: SoftLabels
    fixed: FixedViews | None
    sha256: str
    notes: tuple[str, ...] = ()


def match_labels(file: Path, recipe: Recipe, samples: RunSamples) -> NamedLabels:
    """The soft labels of a file for the training images of a run.

    Args:
        file: The file.
        recipe: The recipe of the run.
        samples: Its images.

    Raises:
        InputError: The file is of other classes, images, augmentation or preprocessing.
        ArtefactError: It is damaged.
    """
    content = read_soft_label_file(file)
    facts, notes = content.facts, []
    gives: Gives = "logits"
    if facts is None:
        _refuse_stranger(file, recipe)
    else:
        _refuse_other_facts(file, facts, recipe)
    order = _order(file, content, samples.classes)
    if facts is None:
        gives = _kind_of(file, content.outputs[:, :, order], recipe.task)
        notes.append(
            f"{file} does not say how it was made: its numbers are taken as {gives} of a teacher "
            "that saw the images as they are"
        )
    chosen = _rows(file, content, samples)
    _refuse_other_images(file, content, chosen, samples)
    outputs = torch.from_numpy(content.outputs[[row for _, row in chosen]][:, :, order])
    labels = SoftLabels(
        facts or _facts_of_stranger(recipe, samples),
        _logits(outputs, gives), torch.tensor([place for place, _ in chosen]),
        tuple(content.names[row] for _, row in chosen),
    )  # fmt: skip
    fixed = None if facts is None else views_of_facts(facts, recipe)
    if fixed is not None:
        fixed = _at_positions(file, fixed, content, chosen, samples)
    return NamedLabels(labels, fixed, sha256_of(file), tuple(notes))


def views_of_facts(facts: SoftLabelFacts, recipe: Recipe) -> FixedViews | None:
    """The views that a file's outputs are of; None where they are of the images themselves."""
    if facts.views is None:
        return None
    views = facts.views
    side = views.get("side", facts.image_size)
    return FixedViews(Augmentation(recipe.augment, side), views["images"], views["number"],
                      views["seed"])  # fmt: skip


# Facts -------------------------------------------------------------------------------------


def _refuse_stranger(file: Path, recipe: Recipe) -> None:
    """Refuse a file without facts: nothing shows that its numbers are of these very images.

    Raises:
        InputError: The recipe does not say that it is trusted.
    """
    if recipe.teacher is None or not recipe.teacher.trust_logits:
        message = f"{file} does not say how it was made: of which images, with which preprocessing"
        hint = "make it by `edgekd logits`, or set `teacher.trust_logits: true` if you know it"
        raise InputError(message, hint)


def _refuse_other_facts(file: Path, facts: SoftLabelFacts, recipe: Recipe) -> None:
    if facts.task != recipe.task:
        message = f"{file} is of the task {facts.task}, the recipe of {recipe.task}"
        raise InputError(message, "take a file that was made for the recipe's task")
    if facts.resize != RULE:
        message = f"{file} was made with the preprocessing {facts.resize}, and this is {RULE}"
        raise InputError(message, "make it again with this edgekd")
    if facts.views is not None:
        _refuse_other_views(file, facts, facts.views, recipe)


def _refuse_other_views(
    file: Path, facts: SoftLabelFacts, views: Mapping[str, Any], recipe: Recipe
) -> None:
    made, recipes = views["augmentation"], msgspec.to_builtins(recipe.augment)
    for key in sorted(made.keys() | recipes.keys()):
        if made.get(key) != recipes.get(key):
            message = (
                f"{file} was made with `augment.{key}` {made.get(key)}, and the recipe has "
                f"{recipes.get(key)}"
            )
            raise InputError(message, "set it to that of the file, or make the file again")
    side = views.get("side", facts.image_size)
    if side < recipe.image_size:
        message = f"{file} was made of views of {side} px, and the student sees {recipe.image_size}"
        raise InputError(message, f"set `image_size` to {side} or less, or make the file again")


# Classes -----------------------------------------------------------------------------------


def _order(file: Path, content: SoftLabelFile, classes: Sequence[str]) -> list[int]:
    """Where each class of the run is in the file.

    Raises:
        InputError: The file lacks a class, or is of one more, whose probability is not known.
    """
    missing = [name for name in classes if name not in content.columns]
    surplus = [name for name in content.columns if name not in classes]
    if missing:
        message = f"{file} has no outputs for {', '.join(missing)}, classes of the data"
        raise InputError(message, f"it has {', '.join(content.columns)}: rename its columns")
    if surplus and content.facts is not None:
        message = f"{file} is of {', '.join(surplus)}, too, which the data do not have"
        raise InputError(message, "import its teacher with --map, and make the file again")
    return [content.columns.index(name) for name in classes]


def _kind_of(file: Path, outputs: NDArray[np.float32], task: str) -> Gives:
    """Whether the numbers of a table of another program are logits or probabilities.

    Probabilities may sum to less than 1, where the table has further classes.

    Raises:
        InputError: They may be either, or neither: read as logits they would be near to uniform.
    """
    if (outputs < 0).any() or (outputs > 1).any():
        return "logits"
    if data_task(task).merges_classes and (outputs.sum(axis=2) <= 1.0 + _SLACK).all():
        return "probabilities"
    message = f"{file} holds numbers of 0 to 1 that are no probabilities of one class to an image"
    raise InputError(message, "write logits into it")


def _logits(outputs: Tensor, gives: Gives) -> Tensor:
    if gives == "logits":
        return outputs.contiguous()
    return outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log().contiguous()


def _facts_of_stranger(recipe: Recipe, samples: RunSamples) -> SoftLabelFacts:
    return SoftLabelFacts(
        task=recipe.task, classes=samples.classes, outputs=samples.classes, views=None,
        image_size=recipe.image_size, resize=RULE, teacher={}, data={},
    )  # fmt: skip


# Images ------------------------------------------------------------------------------------


def _rows(file: Path, content: SoftLabelFile, samples: RunSamples) -> list[tuple[int, int]]:
    """Position in the data set and row in the file of each training image.

    Raises:
        InputError: The file lacks images.
    """
    names = samples.split.dataset.samples
    find = _finder(content.names)
    places = samples.split.indices("train")
    rows = [find(names[place].image) for place in places]
    missing = [names[place].image for place, row in zip(places, rows, strict=True) if row is None]
    if missing:
        message = (
            f"{file} has no outputs for {len(missing)} of {len(places)} training images "
            f"({missing[0]} first)"
        )
        raise InputError(message, "make it again with a table of these images")
    return [(place, row) for place, row in zip(places, rows, strict=True) if row is not None]


def _finder(names: Sequence[str]) -> Callable[[str], int | None]:
    """A function that finds an image by its path, or by its name without folder and suffix."""
    whole = {name: row for row, name in enumerate(names)}
    stems: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        stems.setdefault(_stem(name), []).append(row)

    def find(image: str) -> int | None:
        alike = stems.get(_stem(image), [])
        return whole.get(image, alike[0] if len(alike) == 1 else None)

    return find


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem.casefold()


def _refuse_other_images(
    file: Path, content: SoftLabelFile, chosen: Sequence[tuple[int, int]], samples: RunSamples
) -> None:
    """Compare the images' hashes, unless the file was made of the very same data set."""
    same = content.facts and content.facts.data.get("sha256") == samples.content_sha256
    if same or not content.hashes:
        return
    paths = samples.split.dataset.paths()

    def differs(pair: tuple[int, int]) -> bool:
        place, row = pair
        return sha256_of(paths[place])[:HASH] != content.hashes[row]

    with ThreadPoolExecutor(cores()) as pool:
        others = [
            pair for pair, other in zip(chosen, pool.map(differs, chosen), strict=True) if other
        ]
    if others:
        message = (
            f"{len(others)} of {len(chosen)} training images are not those that {file} was made of "
            f"({paths[others[0][0]].name} first)"
        )
        raise InputError(message, "take the same image files, or make it again with these")


def _at_positions(
    file: Path,
    fixed: FixedViews,
    content: SoftLabelFile,
    chosen: Sequence[tuple[int, int]],
    samples: RunSamples,
) -> FixedViews:
    """The views, found by the run's own positions of the images.

    Raises:
        ArtefactError: The file's views are not those that this edgekd draws.
    """
    views = content.facts.views if content.facts else None
    if len(content.positions) != len(content.names) or views is None:
        raise ArtefactError(f"{file} is damaged: its rows do not match", "make it again")
    if fixed.digest() != views["drawn"]:
        message = f"the views of {file} are not those that this edgekd draws"
        raise InputError(message, "make it again with this edgekd")
    positions = torch.zeros(len(samples.targets), dtype=torch.int64)
    for place, row in chosen:
        positions[place] = content.positions[row]
    return fixed.at(positions)
