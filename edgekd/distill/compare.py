"""Several methods over the same data, split and seeds, as a table that a paper would print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.data.cache import Progress
from edgekd.distill.pipeline import RunRequest, distill, train
from edgekd.distill.samples import RunSamples, load_samples
from edgekd.errors import InputError
from edgekd.metrics import (
    Estimate,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    macro_auroc,
    macro_f1,
    recall_difference,
    sensitivity,
)
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import Recipe, RoleSection

__all__ = ["CompareRequest", "Comparison", "MethodRow", "Spread", "compare", "markdown"]

UNDISTILLED = "none"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation (n − 1) over the seeds; no deviation for one seed."""

    mean: float
    sd: float | None


class MethodRow(msgspec.Struct, frozen=True, kw_only=True):
    """One method.

    Attributes:
        name: Of its recipe; `none` is the student without a teacher.
        method: Of its recipe.
        seeds: Trained with.
        metrics: accuracy, balanced_accuracy, macro_f1, macro_auroc on the test part.
        sensitivity: By class.
        versus_undistilled: Balanced accuracy minus that of `none`, paired over images and seeds.
    """

    name: str
    method: str
    seeds: tuple[int, ...]
    metrics: dict[str, Spread]
    sensitivity: dict[str, Spread]
    versus_undistilled: Estimate | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The whole table.

    Attributes:
        data: Name of the data set.
        images: Images by part.
        split_sha256: Hash of the split.
        teacher: Test metrics of the teacher that all methods share.
        rows: The methods, `none` first.
    """

    data: str
    images: dict[str, int]
    split_sha256: str
    teacher: dict[str, float]
    rows: tuple[MethodRow, ...]


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Attributes:
        recipes: One for each method; data, split and student must be the same.
        seeds: Of weights, order and augmentation; the split keeps its own.
        out: Folder of the runs; what is there already is reused.
        say: Takes one line of progress.
        tick: Takes (done, total) while images are decoded.
    """

    recipes: Sequence[Recipe]
    seeds: Sequence[int]
    out: Path
    say: Callable[[str], None] = lambda line: None
    tick: Progress | None = field(default=None)


def compare(request: CompareRequest) -> Comparison:
    """Train what is not there yet and set every method beside the undistilled student.

    One teacher, trained with the first recipe's seed, serves all methods and seeds. The student
    without a teacher is added where no recipe asks for it.

    Raises:
        InputError: The recipes do not share data, split, image size, student or teacher.
    """
    recipes = _with_undistilled(request.recipes)
    _refuse_unequal(recipes)
    samples = load_samples(recipes[0], request.tick)
    teacher = _teacher(request, recipes)
    images, labels = samples.part("test")
    outputs: dict[str, NDArray[np.float32]] = {}
    for recipe in recipes:
        folders = [_student(request, recipe, seed, teacher) for seed in request.seeds]
        outputs[recipe.name] = np.stack([_outputs(folder, images) for folder in folders])
    rows = tuple(
        _row(recipe, request.seeds, outputs[recipe.name], outputs[UNDISTILLED], labels, samples)
        for recipe in recipes
    )
    return Comparison(
        data=samples.split.dataset.name,
        images=samples.split.counts(),
        split_sha256=samples.split.sha256(),
        teacher=_scores(_outputs(teacher, images), labels) if teacher else {},
        rows=rows,
    )


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
    request.say(f"{recipe.name}, seed {seed}")
    distill(RunRequest(own, out, request.say, request.tick))
    return out / "student"


def _outputs(folder: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return logits_of(load_checkpoint(folder).normalised(), images)


def _scores(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    functions = (accuracy, balanced_accuracy, macro_f1, macro_auroc)
    found = {function.__name__: function(logits, labels) for function in functions}
    return {name: float("nan") if value is None else value for name, value in found.items()}


def _row(
    recipe: Recipe,
    seeds: Sequence[int],
    outputs: NDArray[np.float32],
    undistilled: NDArray[np.float32],
    labels: NDArray[np.int64],
    samples: RunSamples,
) -> MethodRow:
    scores = [_scores(logits, labels) for logits in outputs]
    recalls = [sensitivity(confusion_matrix(logits, labels)) for logits in outputs]
    versus = None
    if recipe.name != UNDISTILLED:
        gain = _hits(outputs, labels) - _hits(undistilled, labels)
        value, low, high = recall_difference(gain, labels)
        versus = Estimate(value=value, low=low, high=high)
    return MethodRow(
        name=recipe.name,
        method=str(recipe.method.get("name")),
        seeds=tuple(seeds),
        metrics={name: _spread([score[name] for score in scores]) for name in scores[0]},
        sensitivity={
            name: _spread([recall[k] or 0.0 for recall in recalls])
            for k, name in enumerate(samples.classes)
        },
        versus_undistilled=versus,
    )


def _hits(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the seeds that are right, by image [N]."""
    return np.asarray((outputs.argmax(axis=2) == labels).mean(axis=0), np.float64)


def _spread(values: Sequence[float]) -> Spread:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(mean=float(np.mean(values)), sd=sd)


def markdown(comparison: Comparison) -> str:
    """The table as Markdown, in per cent."""
    classes = list(comparison.rows[0].sensitivity)
    head = ["method", "ACC", "BACC", "macro F1", "macro AUROC", "BACC − none [95 %]", *classes]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    if comparison.teacher:
        cells = [f"{100 * value:.1f}" for value in comparison.teacher.values()]
        lines.append(f"| teacher | {' | '.join(cells)} |{' |' * (1 + len(classes))}")
    for row in comparison.rows:
        cells = [_percent(spread) for spread in row.metrics.values()]
        cells.append(_difference(row.versus_undistilled))
        cells += [_percent(row.sensitivity[name]) for name in classes]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _percent(spread: Spread) -> str:
    mean = f"{100 * spread.mean:.1f}"
    return mean if spread.sd is None else f"{mean} ± {100 * spread.sd:.1f}"


def _difference(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "—"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:+.1f}"
    return f"{100 * estimate.value:+.1f} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"
