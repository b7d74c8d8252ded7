"""Making a file of a teacher's outputs where the teacher is, for students elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgekd.data import Dataset, Sample, Split
from edgekd.data.image_files import ImageFiles, locate_images
from edgekd.data.image_hashes import image_hashes
from edgekd.data.table import read_table
from edgekd.data.text import clean
from edgekd.distill.methods import load_method
from edgekd.distill.samples.run_samples import RunSamples, decode_samples
from edgekd.distill.task import Trait, training_task
from edgekd.distill.teachers.checks import refuse_other_classes
from edgekd.distill.teachers.fixed_views import FixedViews
from edgekd.distill.teachers.group import Teachers, gather_teachers
from edgekd.distill.teachers.named_labels import HASH
from edgekd.distill.teachers.serving import ServingPlan, setup_of
from edgekd.distill.teachers.soft_label_files import (
    SoftLabelFile,
    check_kind,
    write_soft_label_file,
)
from edgekd.distill.teachers.soft_labels import SoftLabelFacts
from edgekd.errors import InputError
from edgekd.models import Checkpoint, load_checkpoint, read_card
from edgekd.recipe import CacheSection, Recipe, TeacherSection
from edgekd.runtime.preprocess import RULE

__all__ = ["LogitsRequest", "images_of_table", "write_logits"]

_METHOD = "kd"  # takes what a file holds: outputs alone


@dataclass(frozen=True)
class LogitsRequest:
    """A file of outputs to make.

    Attributes:
        teacher: Folder of the teacher's checkpoint.
        recipe: The recipe of the students: their `image_size` and `augment`.
        split: The images; outputs are made for their training part.
        views: K, augmented views of each image; 0 for the image itself.
        seed: Seed of the views.
        out: The file.
        say: Receives lines of progress.
        tick: Receives (images done, images in all).
    """

    teacher: Path
    recipe: Recipe
    split: Split
    views: int
    seed: int
    out: Path
    say: Callable[[str], None] = lambda line: None
    tick: Callable[[int, int], None] | None = None


def images_of_table(table: Path, root: Path, teacher: Path, image_column: str) -> Split:
    """The images of a table, all of them to train on; it needs no labels.

    Args:
        table: The table.
        root: Folder of the images.
        teacher: The checkpoint whose classes they get.
        image_column: Column of the images' names.

    Raises:
        InputError: The table cannot be read, or an image is missing or named twice.
    """
    card = read_card(teacher)
    rows = read_table(table, [image_column])
    named = [(row.line, row[clean(image_column)]) for row in rows]
    hint = "correct the line, or give the folder with --images"
    images = locate_images(table, named, ImageFiles(root), hint)
    samples = tuple(Sample(image, card.classes[0], image) for image in images)
    dataset = Dataset(table.stem, root, card.classes, samples, task=card.task)
    return Split(dataset, ("train",) * len(samples))


def write_logits(request: LogitsRequest) -> SoftLabelFile:
    """Run the teacher and write the file; what was computed before an interruption is reused.

    Raises:
        InputError: The teacher is of other classes or another task, or the recipe's images are not
            the same again in training.
        MissingDependencyError: The file is Parquet, and pyarrow is not installed.
    """
    check_kind(request.out)
    recipe = _recipe_of(request)
    checkpoint = load_checkpoint(request.teacher)
    _refuse(recipe, checkpoint, request)
    samples = decode_samples(recipe, request.split, request.tick)
    section = recipe.teacher or TeacherSection()
    teachers = gather_teachers([checkpoint], section, samples)
    made = _of_views if request.views else _of_images
    content = made(request, recipe, teachers, samples)
    write_soft_label_file(request.out, content)
    return content


def _recipe_of(request: LogitsRequest) -> Recipe:
    """The students' recipe with this teacher, which computes in float32."""
    cache = CacheSection(views=request.views, seed=request.seed) if request.views else None
    section = TeacherSection(checkpoint=str(request.teacher), precision="fp32", cache=cache)
    return msgspec.structs.replace(request.recipe, teacher=section, teachers=())


def _refuse(recipe: Recipe, checkpoint: Checkpoint, request: LogitsRequest) -> None:
    card = checkpoint.card
    if card.task != recipe.task:
        message = f"the teacher {request.teacher} is of the task {card.task}"
        raise InputError(message, f"take one of the recipe's task, {recipe.task}")
    refuse_other_classes(card, request.teacher, request.split.dataset.classes)
    if Trait.IMAGE_LEVEL not in training_task(recipe.task).traits:
        message = f"outputs in a file need a task with {Trait.IMAGE_LEVEL.value}"
        raise InputError(message, "take the teacher itself")
    if request.views and recipe.augment.mixes:
        message = "outputs of views are those of whole images, and the recipe mixes them"
        raise InputError(message, "set `augment.mixup` and `augment.cutmix` to 0")


def _of_views(
    request: LogitsRequest, recipe: Recipe, teachers: Teachers, samples: RunSamples
) -> SoftLabelFile:
    kind = load_method(_METHOD)
    plan = ServingPlan(recipe, samples, kind, kind.Config(), request.tick)
    setup = setup_of(teachers, plan, request.say)
    assert setup.cache is not None
    assert isinstance(setup.fixed_views, FixedViews)
    labels = setup.cache.labels
    fixed = setup.fixed_views
    known = labels.facts.views or {}
    views = {**known, "images": fixed.images, "drawn": fixed.digest()}
    facts = msgspec.structs.replace(labels.facts, views=views)
    positions = tuple(labels.indices.tolist())
    return _file(facts, teachers, samples, labels.logits.numpy(), positions)


def _of_images(
    request: LogitsRequest, recipe: Recipe, teachers: Teachers, samples: RunSamples
) -> SoftLabelFile:
    outputs = teachers.outputs(samples, "train")
    assert outputs is not None  # a table without images is refused
    dataset = samples.split.dataset
    facts = SoftLabelFacts(
        task=recipe.task, classes=dataset.classes, outputs=dataset.classes, views=None,
        image_size=recipe.image_size, resize=RULE, teacher=teachers.facts(),
        data={"name": dataset.name, "sha256": samples.content_sha256},
    )  # fmt: skip
    positions = tuple(samples.split.indices("train"))
    return replace(_file(facts, teachers, samples, outputs[:, None], positions), positions=())


def _file(
    facts: SoftLabelFacts, teachers: Teachers, samples: RunSamples, outputs: Any,
    positions: tuple[int, ...],
) -> SoftLabelFile:  # fmt: skip
    """The file of some images, by their positions in the data set."""
    dataset, card = samples.split.dataset, teachers.members[0].card
    shown = {"arch": card.arch, "mean": card.mean, "std": card.std, "image_size": card.image_size}
    facts = msgspec.structs.replace(facts, teacher={**facts.teacher, **shown})
    hashes = image_hashes(dataset.paths(positions))
    return SoftLabelFile(
        facts, facts.outputs, tuple(dataset.samples[place].image for place in positions),
        np.asarray(outputs, np.float32), tuple(digest[:HASH] for digest in hashes), positions,
    )  # fmt: skip
