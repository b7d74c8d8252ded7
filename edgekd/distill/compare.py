"""Several methods over the same data, split and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.data.cache import Progress
from edgekd.distill.comparison import (
    MACRO,
    Comparison,
    MethodRow,
    Spread,
    markdown,
    positive_class,
)
from edgekd.distill.label_bits import LabelBits, noted_bits
from edgekd.distill.pipeline import RunRequest, distill, distilling_samples, train
from edgekd.distill.samples import RunSamples
from edgekd.errors import InputError
from edgekd.metrics import (
    Estimate,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    macro_auroc,
    macro_f1,
    paired_difference,
    quadratic_kappa,
    recall_difference,
    sensitivity,
)
from edgekd.metrics.classification import (
    class_f1_of,
    class_recall_of,
    macro_f1_of,
    quadratic_kappa_of,
)
from edgekd.metrics.difference import Statistic
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import Recipe, RoleSection, fingerprint

__all__ = ["CompareRequest", "Comparison", "MethodRow", "Spread", "compare", "markdown"]

UNDISTILLED = "none"


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Attributes:
        recipes: One for each method; data, split and student must be the same.
        seeds: Of weights, order and augmentation; the split keeps its own.
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
    """One test part and what was said of it.

    Attributes:
        samples: All images, in the parts of this fold.
        labels: Of the test images [N].
        outputs: Of every method's students [seeds, N, K].
        teacher: Its outputs [N, K].
        label_bits: What each method's students were told beyond the classes.
    """

    samples: RunSamples
    labels: NDArray[np.int64]
    outputs: dict[str, NDArray[np.float32]]
    teacher: NDArray[np.float32] | None
    label_bits: dict[str, LabelBits | None]


def compare(request: CompareRequest) -> Comparison:
    """Train what is not there yet and set every method beside the undistilled student.

    One teacher, trained with the first recipe's seed, serves all methods and seeds; with folds
    there is one in each. The student without a teacher is added where no recipe asks for it.

    Raises:
        InputError: The recipes do not share data, split, image size, student or teacher; or a
            teacher that is trained already would have seen the test images of other folds.
    """
    recipes = _with_undistilled(request.recipes)
    _refuse_unequal(recipes)
    tested = [_tested(part) for part in _parts(request, recipes)]
    samples = tested[0].samples
    rows = tuple(_row(recipe, request.seeds, tested) for recipe in recipes)
    return Comparison(
        data=samples.split.dataset.name,
        images=samples.split.counts(),
        split_sha256=_split_hash(tested),
        teacher=_teacher_scores(tested),
        rows=rows,
        folds=request.folds,
    )


def _parts(request: CompareRequest, recipes: Sequence[Recipe]) -> list[CompareRequest]:
    """The request itself, or one for each fold with recipes of that fold."""
    if not request.folds:
        return [replace(request, recipes=recipes)]
    if any(recipe.teacher and recipe.teacher.checkpoint for recipe in recipes):
        message = "a teacher that is trained already has seen the test images of other folds"
        raise InputError(message, "give `teacher.model`, so that each fold trains its own")
    return [
        replace(request, recipes=[_in_fold(r, request.folds, fold) for r in recipes],
                out=request.out / f"fold-{fold}")
        for fold in range(request.folds)
    ]  # fmt: skip


def _in_fold(recipe: Recipe, folds: int, fold: int) -> Recipe:
    split = msgspec.structs.replace(recipe.split, folds=folds, fold=fold)
    return msgspec.structs.replace(recipe, split=split)


def _tested(request: CompareRequest) -> _Tested:
    """Train what one part asks for, and run it over its test images."""
    run = RunRequest(request.recipes[-1], request.out, request.say, request.tick)
    samples = distilling_samples(run, with_teacher=run.recipe.teacher is not None)
    teacher = _teacher(request, request.recipes)
    images, labels = samples.part("test")
    outputs: dict[str, NDArray[np.float32]] = {}
    bits: dict[str, LabelBits | None] = {}
    for recipe in request.recipes:
        folders = [_student(request, recipe, seed, teacher) for seed in request.seeds]
        outputs[recipe.name] = np.stack([_outputs(folder, images) for folder in folders])
        bits[recipe.name] = noted_bits(folders[0])  # one teacher for all seeds
    guide = _outputs(teacher, images) if teacher else None
    return _Tested(samples, labels, outputs, guide, bits)


def _split_hash(tested: Sequence[_Tested]) -> str:
    hashes = [part.samples.split.sha256() for part in tested]
    return hashes[0] if len(hashes) == 1 else fingerprint(hashes)


def _teacher_scores(tested: Sequence[_Tested]) -> dict[str, float]:
    scores = [_scores(part.teacher, part) for part in tested if part.teacher is not None]
    names = scores[0] if scores else {}
    return {name: float(np.mean([one[name] for one in scores])) for name in names}


def _with_undistilled(recipes: Sequence[Recipe]) -> list[Recipe]:
    named = [recipe for recipe in recipes if recipe.method.get("name") != UNDISTILLED]
    names = [recipe.name for recipe in named]
    if not named or len(set(names)) != len(names):
        raise InputError("compare needs recipes of different names", "give each its own `name`")
    plain = {"name": UNDISTILLED}
    return [msgspec.structs.replace(named[0], name=UNDISTILLED, method=plain), *named]


def _refuse_unequal(recipes: Sequence[Recipe]) -> None:
    first = recipes[0]
    for recipe in recipes[1:]:
        for section in ("data", "split", "image_size", "student", "teacher"):
            if getattr(recipe, section) != getattr(first, section):
                message = f"{recipe.name} and {recipes[1].name} differ in `{section}`"
                raise InputError(message, "compare methods over the same data and networks")


def _teacher(request: CompareRequest, recipes: Sequence[Recipe]) -> Path | None:
    section = recipes[-1].teacher
    if section is None:
        return None
    if section.checkpoint:
        return Path(section.checkpoint)
    folder = request.out / "teacher"
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


def _scores(logits: NDArray[np.float32], part: _Tested) -> dict[str, float]:
    functions = [accuracy, balanced_accuracy, macro_f1, macro_auroc]
    if part.samples.split.dataset.ordered:
        functions.append(quadratic_kappa)
    found = {function.__name__: function(logits, part.labels) for function in functions}
    return {name: float("nan") if value is None else value for name, value in found.items()}


def _row(recipe: Recipe, seeds: Sequence[int], tested: Sequence[_Tested]) -> MethodRow:
    runs = [(part, logits) for part in tested for logits in part.outputs[recipe.name]]
    scores = [_scores(logits, part) for part, logits in runs]
    confusions = [confusion_matrix(logits, part.labels) for part, logits in runs]
    recalls = [sensitivity(confusion) for confusion in confusions]
    f1 = class_f1_of(np.stack(confusions))
    dataset = tested[0].samples.split.dataset
    compared = recipe.name != UNDISTILLED
    return MethodRow(
        name=recipe.name,
        method=str(recipe.method.get("name")),
        seeds=tuple(seeds),
        metrics={name: _spread([score[name] for score in scores]) for name in scores[0]},
        sensitivity={
            name: _spread([recall[k] or 0.0 for recall in recalls])
            for k, name in enumerate(dataset.classes)
        },
        versus_undistilled=_gain(recipe.name, tested) if compared else None,
        sensitivity_versus_undistilled=_recall_gains(recipe.name, tested) if compared else {},
        kappa_versus_undistilled=(
            _kappa_gain(recipe.name, tested) if compared and dataset.ordered else None
        ),
        f1={name: _spread(f1[:, k].tolist()) for k, name in enumerate(dataset.classes)},
        f1_versus_undistilled=_f1_gains(recipe.name, tested) if compared else {},
        label_bits=_mean_bits([part.label_bits[recipe.name] for part in tested]),
    )


def _gain(name: str, tested: Sequence[_Tested]) -> Estimate:
    """Balanced accuracy over all test images, minus that of the undistilled student."""
    gains = [
        _hits(part.outputs[name], part.labels) - _hits(part.outputs[UNDISTILLED], part.labels)
        for part in tested
    ]
    labels = np.concatenate([part.labels for part in tested])
    return Estimate(**recall_difference(np.concatenate(gains), labels)._asdict())


def _recall_gains(name: str, tested: Sequence[_Tested]) -> dict[str, Estimate]:
    """Likewise of the sensitivity for each class that has test images."""
    present = {int(label) for part in tested for label in part.labels}
    return {
        each: _gain_of(lambda counts, k=k: class_recall_of(counts)[..., k], name, tested)  # type: ignore[misc]
        for k, each in enumerate(tested[0].samples.classes)
        if k in present
    }


def _kappa_gain(name: str, tested: Sequence[_Tested]) -> Estimate:
    """Likewise of the quadratic kappa."""
    return _gain_of(quadratic_kappa_of, name, tested)


def _f1_gains(name: str, tested: Sequence[_Tested]) -> dict[str, Estimate]:
    """Likewise of F1, see `MethodRow`."""
    gains = {MACRO: _gain_of(macro_f1_of, name, tested)}
    positive = positive_class(tested[0].samples.classes)
    if positive is not None:
        gains[positive] = _gain_of(lambda counts: class_f1_of(counts)[..., 1], name, tested)
    return gains


def _mean_bits(found: Sequence[LabelBits | None]) -> LabelBits | None:
    known = [one for one in found if one is not None]
    if not known:
        return None
    means = {
        name: float(np.mean([getattr(one, name) for one in known])) for name in ("bits", "plain")
    }
    return msgspec.structs.replace(known[0], **means)


def _gain_of(statistic: Statistic, name: str, tested: Sequence[_Tested]) -> Estimate:
    first, second = (
        np.concatenate([part.outputs[each].argmax(axis=2) for part in tested], axis=1)
        for each in (UNDISTILLED, name)
    )
    labels = np.concatenate([part.labels for part in tested])
    classes = len(tested[0].samples.classes)
    found = paired_difference(statistic, first, second, labels, classes)
    return Estimate(**found._asdict())


def _hits(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the seeds that are right, by image [N]."""
    return np.asarray((outputs.argmax(axis=2) == labels).mean(axis=0), np.float64)


def _spread(values: Sequence[float]) -> Spread:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(mean=float(np.mean(values)), sd=sd)
