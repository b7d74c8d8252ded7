"""Several methods over the same data, split and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.data import load_dataset, split_dataset
from edgekd.data.cache import Progress
from edgekd.distill.comparison import Comparison, comparison_of
from edgekd.distill.label_bits import LabelBits, recorded_label_bits
from edgekd.distill.pipeline import RunRequest, distill, distilling_samples, train
from edgekd.distill.predictions import (
    PREDICTIONS,
    ComparedMethod,
    PredictionFacts,
    Predictions,
    TestedPart,
)
from edgekd.distill.processes import is_rank_zero
from edgekd.distill.samples import NOTE, RunSamples
from edgekd.distill.task import Trait, training_task
from edgekd.errors import InputError
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import Recipe, RoleSection, fingerprint

__all__ = ["CompareRequest", "compare"]

UNDISTILLED = "none"
_TEACHER = "teacher"

MAY_DIFFER = ("name", "seed", "method")
"""Keys in which compared recipes may differ; seeds are those of the request."""


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Attributes:
        recipes: One for each method; all but name, seed and method must be the same.
        seeds: Of weights, order and augmentation; the split keeps its own. Intervals need two,
            and are of use from three on.
        out: Folder of the runs, one for each fold in it; what is there already is reused.
        folds: Cross-validation in so many folds, instead of the recipes' own test part.
        say: Takes one line of progress.
        tick: Takes (done, total) while images are decoded.
    """

    recipes: Sequence[Recipe]
    seeds: Sequence[int]
    out: Path
    say: Callable[[str], None] = lambda line: None
    tick: Progress | None = field(default=None)
    folds: int = 0


@dataclass(frozen=True)
class _Tested:
    """One test part, and what its runs noted.

    Attributes:
        samples: All images, in the parts of this fold.
        part: What was said of the test images.
        label_bits: What each recipe's students were told beyond the classes.
    """

    samples: RunSamples
    part: TestedPart
    label_bits: list[LabelBits | None]


def compare(request: CompareRequest) -> Comparison:
    """Train what is not there yet and set every method beside the undistilled student.

    One teacher, trained with the first recipe's seed, serves all methods and seeds; with folds
    there is one in each. The student without a teacher is added where no recipe asks for it.
    What all students say of the test images is kept in `out/predictions.npz`, of which
    `comparison_of` makes the table again.

    Raises:
        InputError: The recipes differ in more than name, seed and method; or a teacher that is
            trained already would have seen the test images of other folds.
    """
    recipes = _with_undistilled(request.recipes)
    _refuse_task(recipes[0].task)
    request = replace(request, say=_notes_once(request.say))
    predictions = _predictions(request, recipes)
    if is_rank_zero():
        predictions.save(request.out / PREDICTIONS)
    return comparison_of(predictions)


def _refuse_task(task: str) -> None:
    """The tables are made of confusion matrices."""
    if Trait.EXCLUSIVE_CLASSES not in training_task(task).traits:
        message = f"edgekd compare does not serve the task {task}: it needs "
        message += Trait.EXCLUSIVE_CLASSES.value
        raise InputError(message, "train each recipe with `edgekd distill`, and compare reports")


def _notes_once(say: Callable[[str], None]) -> Callable[[str], None]:
    """All runs are of the same data, and each says its notes."""
    told: set[str] = set()

    def once(line: str) -> None:
        if line.startswith(NOTE) and line in told:
            return
        told.add(line)
        say(line)

    return once


def _predictions(request: CompareRequest, recipes: Sequence[Recipe]) -> Predictions:
    tested = [_tested(part) for part in _parts(request, recipes)]
    split = tested[0].samples.split
    bits = zip(*(part.label_bits for part in tested), strict=True)
    facts = PredictionFacts(
        data=split.dataset.name,
        classes=split.dataset.classes,
        ordered=split.dataset.ordered,
        images=split.counts(),
        split_sha256=_split_hash(tested),
        methods=tuple(
            ComparedMethod(
                name=recipe.name, method=str(recipe.method.get("name")), label_bits=_mean_bits(own)
            )
            for recipe, own in zip(recipes, bits, strict=True)
        ),
        seeds=tuple(request.seeds),
        folds=request.folds,
    )
    return Predictions(facts, tuple(part.part for part in tested))


def _parts(request: CompareRequest, recipes: Sequence[Recipe]) -> list[CompareRequest]:
    """The request itself, or one for each fold with recipes of that fold."""
    if not request.folds:
        return [replace(request, recipes=recipes)]
    if any(recipe.teacher and recipe.teacher.checkpoint for recipe in recipes):
        message = "a teacher that is trained already has seen the test images of other folds"
        raise InputError(message, "give `teacher.model`, so that each fold trains its own")
    parts = [
        replace(request, recipes=[_in_fold(r, request.folds, fold) for r in recipes],
                out=request.out / f"fold-{fold}")
        for fold in range(request.folds)
    ]  # fmt: skip
    _refuse_empty_folds(parts)
    return parts


def _refuse_empty_folds(parts: Sequence[CompareRequest]) -> None:
    """Before the first fold is trained, rather than at the one that has no image."""
    dataset = load_dataset(parts[0].recipes[0].data, parts[0].recipes[0].task)
    for number, part in enumerate(parts, 1):
        if not split_dataset(dataset, part.recipes[0].split).indices("test"):
            groups = len({sample.group for sample in dataset.samples})
            message = f"fold {number} of {len(parts)} of {dataset.name} would have no image"
            hint = f"give fewer --folds: there are {groups} images, lesions or patients to part"
            raise InputError(message, hint)


def _in_fold(recipe: Recipe, folds: int, fold: int) -> Recipe:
    split = msgspec.structs.replace(recipe.split, folds=folds, fold=fold)
    return msgspec.structs.replace(recipe, split=split)


def _tested(request: CompareRequest) -> _Tested:
    """Train what one part asks for, and run it over its test images.

    What keeps one of the methods from being trained is told before the first one is.
    """
    run = RunRequest(request.recipes[-1], request.out, request.say, request.tick)
    samples = distilling_samples(run, with_teacher=run.recipe.teacher is not None,
                                 recipes=request.recipes)  # fmt: skip
    if not samples.split.indices("test"):
        message = f"the test part of {samples.split.dataset.name} is empty"
        raise InputError(message, "give `split.test` a share, or --folds")
    teacher = _teacher(request, request.recipes)
    images, labels = samples.part("test")
    outputs, bits = [], []
    for recipe in request.recipes:
        folders = [_student(request, recipe, seed, teacher) for seed in request.seeds]
        outputs.append([_outputs(folder, images) for folder in folders])
        bits.append(recorded_label_bits(folders[0]))  # one teacher for all seeds
    guide = _outputs(teacher, images) if teacher else None
    part = TestedPart(labels, _groups(samples), np.array(outputs, np.float32), guide)
    return _Tested(samples, part, bits)


def _groups(samples: RunSamples) -> NDArray[np.int64]:
    """The group of each test image, as a number: names may be those of patients."""
    names = [sample.group for sample in samples.split.dataset.samples]
    _, numbers = np.unique(names, return_inverse=True)
    return np.asarray(numbers, np.int64)[samples.split.indices("test")]


def _split_hash(tested: Sequence[_Tested]) -> str:
    hashes = [part.samples.split.sha256() for part in tested]
    return hashes[0] if len(hashes) == 1 else fingerprint(hashes)


def _mean_bits(found: Sequence[LabelBits | None]) -> LabelBits | None:
    known = [one for one in found if one is not None]
    if not known:
        return None
    means = {
        name: float(np.mean([getattr(one, name) for one in known])) for name in ("bits", "plain")
    }
    return msgspec.structs.replace(known[0], **means)


def _with_undistilled(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The recipe of the undistilled student first, which is called `none`, then the others."""
    _refuse_unequal(recipes)
    plain = [recipe for recipe in recipes if recipe.method.get("name") == UNDISTILLED]
    named = [recipe for recipe in recipes if recipe.method.get("name") != UNDISTILLED]
    for recipe in named:
        _refuse_no_folder(recipe.name)
    # Some file systems take names that differ in case alone for the same.
    folders = {UNDISTILLED, _TEACHER, *(recipe.name.casefold() for recipe in named)}
    if not named or len(plain) > 1 or len(folders) < 2 + len(named):
        message = "compare needs recipes of different names, one at most without distillation"
        hint = f"give each its own `name`, other than `{UNDISTILLED}` and `{_TEACHER}`"
        raise InputError(message, hint)
    method = plain[0].method if plain else {"name": UNDISTILLED}
    return [msgspec.structs.replace(named[0], name=UNDISTILLED, method=method), *named]


def _refuse_no_folder(name: str) -> None:
    """Each method's runs have a folder of its name, in --out and nowhere else."""
    if name in ("", ".", "..", PREDICTIONS) or not set(name).isdisjoint("/\\\0\n"):
        message = f"the recipe's name {name!r} cannot be that of a folder of runs"
        raise InputError(message, "give it a `name` of letters, digits and hyphens")


def _refuse_unequal(recipes: Sequence[Recipe]) -> None:
    """All that is the same for every method must be, also what recipes may say in time."""
    shared = [
        {key: value for key, value in msgspec.to_builtins(recipe).items() if key not in MAY_DIFFER}
        for recipe in recipes
    ]
    for recipe, own in zip(recipes, shared, strict=True):
        key = _first_difference(shared[0], own)
        if key:
            message = f"{recipe.name} and {recipes[0].name} differ in `{key}`"
            raise InputError(message, f"compared recipes may differ in {', '.join(MAY_DIFFER)}")


def _first_difference(one: Any, other: Any) -> str:
    """The first key, with dots, whose values differ; empty where none does."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return ""
    for key in [*one, *(key for key in other if key not in one)]:
        if key not in one or key not in other or one[key] != other[key]:
            inner = _first_difference(one.get(key), other.get(key))
            return f"{key}.{inner}" if inner else str(key)
    return ""


def _teacher(request: CompareRequest, recipes: Sequence[Recipe]) -> Path | None:
    section = recipes[-1].teacher
    if section is None:
        return None
    if section.checkpoint:
        return Path(section.checkpoint)
    folder = request.out / _TEACHER
    train(RunRequest(recipes[0], folder, request.say, request.tick), "teacher")
    return folder


def _student(request: CompareRequest, recipe: Recipe, seed: int, teacher: Path | None) -> Path:
    """The folder of the student of one recipe and seed, trained where it is not there yet."""
    shared = RoleSection(checkpoint=str(teacher)) if teacher else None
    own = msgspec.structs.replace(recipe, seed=seed, teacher=shared)
    out = request.out / recipe.name / f"seed-{seed}"
    fold = f", fold {recipe.split.fold + 1} of {recipe.split.folds}" if recipe.split.folds else ""
    request.say(f"{recipe.name}, seed {seed}{fold}")
    distill(RunRequest(own, out, request.say, request.tick))
    return out / "student"


def _outputs(folder: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return logits_of(load_checkpoint(folder).normalised(), images)
