"""Training and comparing several methods on the same data, split and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.data import load_dataset, split_dataset
from edgekd.data.decoded import Progress
from edgekd.distill.comparison.comparison import Comparison, comparison_of
from edgekd.distill.comparison.label_bits import LabelBits, recorded_label_bits
from edgekd.distill.comparison.predictions import (
    PREDICTIONS,
    ComparedMethod,
    PredictionFacts,
    Predictions,
    TestedPart,
)
from edgekd.distill.runs.pinned_precision import pinned
from edgekd.distill.runs.pipeline import (
    RunRequest,
    distill,
    distilling_samples,
    make_teachers,
    pin_for_distilling,
    refuse_other_student,
)
from edgekd.distill.samples.run_samples import NOTE, RunSamples
from edgekd.distill.task import Trait, training_task
from edgekd.distill.teachers.group import Teachers
from edgekd.distill.training.precision import PrecisionChoice
from edgekd.distill.training.processes import is_rank_zero
from edgekd.distill.training.progress import ProgressOutput
from edgekd.errors import InputError
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import Recipe, fingerprint
from edgekd.recipe.differences import differences

__all__ = ["CompareRequest", "compare"]

UNDISTILLED = "none"
_TEACHERS = ("teacher", "teachers")

MAY_DIFFER = ("name", "seed", "method")
"""Keys in which compared recipes may differ; seeds are those of the request."""


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Attributes:
        recipes: One for each method; all but name, seed and method must be the same.
        seeds: Seeds of initial weights, order of images and augmentation; the split has its own.
            Intervals need two seeds, and are informative from three on.
        out: Folder of the runs, with one folder for each fold; finished runs are reused.
        folds: Number of cross-validation folds, instead of the recipes' test part.
        say: Receives one line of progress.
        tick: Receives (done, total) while images are decoded.
        resume: Continue interrupted runs and reuse finished ones, rather than begin again.
        force: Replace finished runs of other recipes, which are refused otherwise.
        output: Where trainings report their epochs; None reports them on stderr.
        precision: The precision of all runs; None where it is still to be chosen.
    """

    recipes: Sequence[Recipe]
    seeds: Sequence[int]
    out: Path
    say: Callable[[str], None] = lambda line: None
    tick: Progress | None = field(default=None)
    folds: int = 0
    resume: bool = True
    force: bool = False
    output: ProgressOutput | None = None
    precision: PrecisionChoice | None = None


@dataclass(frozen=True)
class _Tested:
    """The runs of one test part.

    Attributes:
        samples: All images, in the parts of this fold.
        part: Predictions for the test images.
        label_bits: Label bits of each recipe's teacher; None where it taught no subclasses.
    """

    samples: RunSamples
    part: TestedPart
    label_bits: list[LabelBits | None]


def compare(request: CompareRequest) -> Comparison:
    """Train every run that does not exist yet, and compare methods with the undistilled student.

    One teacher, trained with the first recipe's seed, serves all methods and seeds; with folds
    there is one for each. The student without a teacher is added if no recipe trains it. The
    predictions of all students for the test images are kept in `out/predictions.npz`, from which
    `comparison_of` computes the table.

    Raises:
        InputError: The recipes differ in more than name, seed and method; their task has no
            exclusive classes; or a trained teacher has seen the test images of other folds.
    """
    recipes = _with_undistilled(request.recipes)
    _refuse_task(recipes[0].task)
    request = replace(request, say=_notes_once(request.say))
    predictions = _predictions(request, recipes)
    if is_rank_zero():
        predictions.save(request.out / PREDICTIONS)
    return comparison_of(predictions)


def _refuse_task(task: str) -> None:
    """Refuse a task without exclusive classes: the tables are computed from confusion matrices."""
    if Trait.EXCLUSIVE_CLASSES not in training_task(task).traits:
        message = f"edgekd compare does not serve the task {task}: it needs "
        message += Trait.EXCLUSIVE_CLASSES.value
        raise InputError(message, "train each recipe with `edgekd distill`, and compare reports")


def _notes_once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Report each note once: all runs use the same data, and each reports its notes."""
    reported: set[str] = set()

    def once(line: str) -> None:
        if line.startswith(NOTE) and line in reported:
            return
        reported.add(line)
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
    if any(section.checkpoint for recipe in recipes for section in recipe.teacher_networks):
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
    """Refuse folds without an image before the first fold is trained."""
    dataset = load_dataset(parts[0].recipes[0].data, parts[0].recipes[0].task)
    for number, part in enumerate(parts, 1):
        if not split_dataset(dataset, part.recipes[0].split).indices("test"):
            groups = len({sample.group for sample in dataset.samples})
            message = f"fold {number} of {len(parts)} of {dataset.name} would have no image"
            hint = f"give fewer --folds: there are {groups} images, lesions or patients to split"
            raise InputError(message, hint)


def _in_fold(recipe: Recipe, folds: int, fold: int) -> Recipe:
    split = msgspec.structs.replace(recipe.split, folds=folds, fold=fold)
    return msgspec.structs.replace(recipe, split=split)


def _tested(request: CompareRequest) -> _Tested:
    """Train the runs of one part and predict its test images.

    A method that cannot be trained is refused before any training.
    """
    _refuse_other_students(request)
    run = RunRequest(request.recipes[-1], request.out, request.say, request.tick)
    samples = distilling_samples(run, with_teacher=bool(run.recipe.teacher_networks),
                                 recipes=request.recipes)  # fmt: skip
    request = _pinned(request, run, samples)
    if not samples.split.indices("test"):
        message = f"the test part of {samples.split.dataset.name} is empty"
        raise InputError(message, "give `split.test` a share, or --folds")
    teachers = _teachers(request, samples)
    images, labels = samples.part("test")
    outputs, bits = [], []
    for recipe in request.recipes:
        folders = [_student(request, recipe, seed, teachers) for seed in request.seeds]
        outputs.append([_outputs(folder, images) for folder in folders])
        bits.append(recorded_label_bits(folders[0]))  # one teacher for all seeds
    of_teacher = teachers.outputs(samples, "test") if teachers else None
    part = TestedPart(labels, _groups(samples), np.array(outputs, np.float32), of_teacher)
    return _Tested(samples, part, bits)


def _pinned(request: CompareRequest, run: RunRequest, samples: RunSamples) -> CompareRequest:
    """The request with the precision of all its runs, in every fold the same."""
    out = request.out.parent if request.folds else request.out
    runs = len(request.recipes) * len(request.seeds) * max(request.folds, 1)
    with_teacher = bool(run.recipe.teacher_networks)
    choice = pin_for_distilling(
        replace(run, out=out), samples, with_teacher=with_teacher, runs=runs
    ).precision
    assert choice is not None
    recipes = [pinned(recipe, choice) for recipe in request.recipes]
    return replace(request, recipes=recipes, precision=choice)


def _groups(samples: RunSamples) -> NDArray[np.int64]:
    """The group of each test image as a number: names could identify patients."""
    names = [sample.group for sample in samples.split.dataset.samples]
    _, numbers = np.unique(names, return_inverse=True)
    return np.asarray(numbers, np.int64)[samples.split.indices("test")]


def _split_hash(tested: Sequence[_Tested]) -> str:
    hashes = [part.samples.split.sha256() for part in tested]
    return hashes[0] if len(hashes) == 1 else fingerprint(hashes)


def _mean_bits(by_fold: Sequence[LabelBits | None]) -> LabelBits | None:
    known = [bits for bits in by_fold if bits is not None]
    if not known:
        return None
    means = {
        name: float(np.mean([getattr(bits, name) for bits in known])) for name in ("bits", "plain")
    }
    return msgspec.structs.replace(known[0], **means)


def _with_undistilled(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The recipe of the undistilled student, named `none`, then the others."""
    _refuse_unequal(recipes)
    plain = [recipe for recipe in recipes if recipe.method.get("name") == UNDISTILLED]
    named = [recipe for recipe in recipes if recipe.method.get("name") != UNDISTILLED]
    for recipe in named:
        _refuse_no_folder(recipe.name)
    # On some file systems names that differ in case alone are equal.
    folders = {UNDISTILLED, *_TEACHERS, *(recipe.name.casefold() for recipe in named)}
    if not named or len(plain) > 1 or len(folders) < 3 + len(named):
        message = "compare needs recipes of different names, one at most without distillation"
        hint = f"give each its own `name`, other than `{UNDISTILLED}` and `{_TEACHERS[0]}`"
        raise InputError(message, hint)
    method = plain[0].method if plain else {"name": UNDISTILLED}
    return [msgspec.structs.replace(named[0], name=UNDISTILLED, method=method), *named]


def _refuse_no_folder(name: str) -> None:
    """Refuse recipe names that cannot name a folder in --out, where runs are kept."""
    if name in ("", ".", "..", PREDICTIONS) or not set(name).isdisjoint("/\\\0\n"):
        message = f"the recipe's name {name!r} cannot be that of a folder of runs"
        raise InputError(message, "give it a `name` of letters, digits and hyphens")


def _refuse_unequal(recipes: Sequence[Recipe]) -> None:
    """Refuse recipes that differ in any section but those that may differ."""
    shared = [
        {key: value for key, value in msgspec.to_builtins(recipe).items() if key not in MAY_DIFFER}
        for recipe in recipes
    ]
    for recipe, sections in zip(recipes, shared, strict=True):
        first = next(differences(shared[0], sections), None)
        if first is not None:
            message = f"{recipe.name} and {recipes[0].name} differ in `{first.key}`"
            raise InputError(message, f"compared recipes may differ in {', '.join(MAY_DIFFER)}")


def _teachers(request: CompareRequest, samples: RunSamples) -> Teachers | None:
    recipe = request.recipes[0]
    if not recipe.teacher_networks:
        return None
    return make_teachers(_run_of(request, recipe, request.out), samples)


def _refuse_other_students(request: CompareRequest) -> None:
    """Refuse students of other recipes in the folders of this comparison, before any training."""
    for recipe in request.recipes:
        for seed in request.seeds:
            of_seed = msgspec.structs.replace(recipe, seed=seed)
            refuse_other_student(_run_of(request, of_seed, _folder(request, recipe, seed)))


def _student(request: CompareRequest, recipe: Recipe, seed: int, teachers: Teachers | None) -> Path:
    """The folder of the student of one recipe and seed, trained if it does not exist yet."""
    shared = teachers.sections() if teachers else {}
    of_seed = msgspec.structs.replace(recipe, seed=seed, **shared)
    out = _folder(request, recipe, seed)
    fold = f", fold {recipe.split.fold + 1} of {recipe.split.folds}" if recipe.split.folds else ""
    request.say(f"{recipe.name}, seed {seed}{fold}")
    distill(_run_of(request, of_seed, out))
    return out / "student"


def _folder(request: CompareRequest, recipe: Recipe, seed: int) -> Path:
    return request.out / recipe.name / f"seed-{seed}"


def _run_of(request: CompareRequest, recipe: Recipe, out: Path) -> RunRequest:
    """The run of one recipe of the comparison."""
    return RunRequest(
        recipe, out, request.say, request.tick, request.resume, request.force,
        output=request.output, precision=request.precision,
    )  # fmt: skip


def _outputs(folder: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return logits_of(load_checkpoint(folder).normalised(), images)
