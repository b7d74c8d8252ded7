"""The result of a comparison: every method beside the undistilled student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.distill.comparison.label_bits import LabelBits
from edgekd.distill.comparison.predictions import Predictions, TestedPart
from edgekd.metrics import (
    Estimate,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    macro_auroc,
    macro_f1,
    quadratic_kappa,
    sensitivity,
)
from edgekd.metrics.classification import (
    balanced_accuracy_of,
    class_f1_of,
    class_recall_of,
    macro_f1_of,
    quadratic_kappa_of,
)
from edgekd.metrics.difference import Statistic
from edgekd.metrics.seeds import LEAST_SEEDS, seeds_auroc_difference, seeds_difference

__all__ = ["MACRO", "Comparison", "MethodRow", "Spread", "comparison_of", "positive_class"]

MACRO = "macro"


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation (n − 1) over the runs (seeds × folds) that have a value.

    None without a value; the deviation is None with a single one.
    """

    mean: float | None
    sd: float | None


class MethodRow(msgspec.Struct, frozen=True, kw_only=True):
    """One method.

    Attributes:
        name: Name of its recipe; `none` is the student without a teacher.
        method: Name of the method in its recipe.
        seeds: Seeds of its runs.
        metrics: accuracy, balanced_accuracy, macro_f1, macro_auroc on the test part, and
            quadratic_kappa where the classes are grades.
        sensitivity: Sensitivity by class.
        sensitivity_versus_undistilled: As `versus_undistilled`, for the sensitivity of each class
            that has test images; the intervals are simultaneous over the classes.
        versus_undistilled: Balanced accuracy minus that of `none`, on the test images of all folds
            together; mean over the seeds. The interval covers other seeds and other images, see
            `edgekd.metrics.seeds`; it has no bounds with a single seed.
        kappa_versus_undistilled: As `versus_undistilled`, for the quadratic kappa; None unless
            classes are grades.
        f1: F1 by class.
        f1_versus_undistilled: As `versus_undistilled`, for F1: of `macro`, and with two classes
            also of the second, the positive one (`malignant` of benign and malignant).
        auroc_versus_undistilled: As `versus_undistilled`, for the area under the ROC curve: of
            `macro`, the mean over the classes, and where there are more than two, of each class
            against the others, with simultaneous intervals. With folds, images are ranked within
            each and areas are averaged.
        label_bits: Label bits of the teacher's subclasses; means over the folds.
    """

    name: str
    method: str
    seeds: tuple[int, ...]
    metrics: dict[str, Spread]
    sensitivity: dict[str, Spread]
    versus_undistilled: Estimate | None
    sensitivity_versus_undistilled: dict[str, Estimate] = {}
    kappa_versus_undistilled: Estimate | None = None
    f1: dict[str, Spread] = {}
    f1_versus_undistilled: dict[str, Estimate] = {}
    auroc_versus_undistilled: dict[str, Estimate] = {}
    label_bits: LabelBits | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The table of a comparison.

    Attributes:
        data: Name of the data set.
        images: Images by part; of the first fold, where there are folds.
        split_sha256: Hash of the split, or of the splits of all folds.
        teacher: Test metrics of the teacher that all methods share, means over the folds.
        rows: The methods, `none` first.
        folds: Number of cross-validation folds, each image being tested in one; 0 for none.
        notes: Sentences on what the intervals cover, or why there are none, and on a teacher that
            is no better than `none`.
    """

    data: str
    images: dict[str, int]
    split_sha256: str
    teacher: dict[str, float | None]
    rows: tuple[MethodRow, ...]
    folds: int = 0
    notes: tuple[str, ...] = ()


def positive_class(classes: Sequence[str]) -> str | None:
    """The second of two classes; None where there are more."""
    return classes[1] if len(classes) == 2 else None


def comparison_of(predictions: Predictions) -> Comparison:
    """The table computed from stored predictions; nothing is trained.

    With folds, each seed was trained in every fold and decided on every image once, and the
    statistic of a seed is that over all images. Intervals are estimated from seeds, never from
    folds: folds share most of their training images, and no unbiased estimator of the variance of
    their mean exists (Bengio, Grandvalet 2004, J. Mach. Learn. Res. 5:1089).
    """
    facts = predictions.facts
    rows = tuple(_row(predictions, number) for number in range(len(facts.methods)))
    teacher = _teacher_scores(predictions)
    return Comparison(
        data=facts.data,
        images=facts.images,
        split_sha256=facts.split_sha256,
        teacher=teacher,
        rows=rows,
        folds=facts.folds,
        notes=(*_notes(predictions, rows), *_weak_teacher(teacher, rows[0])),
    )


def _row(predictions: Predictions, number: int) -> MethodRow:
    facts = predictions.facts
    method = facts.methods[number]
    runs = [(part, logits) for part in predictions.parts for logits in part.outputs[number]]
    scores = [_scores(logits, part, facts.ordered) for part, logits in runs]
    confusions = np.stack([confusion_matrix(logits, part.labels) for part, logits in runs])
    compared = _Compared(predictions, number) if number else None
    return MethodRow(
        name=method.name,
        method=method.method,
        seeds=facts.seeds,
        metrics={name: _spread([score[name] for score in scores]) for name in scores[0]},
        sensitivity=_spreads([sensitivity(each) for each in confusions], facts.classes),
        versus_undistilled=compared.gain(balanced_accuracy_of) if compared else None,
        sensitivity_versus_undistilled=compared.recalls() if compared else {},
        kappa_versus_undistilled=(
            compared.gain(quadratic_kappa_of, largest=2.0) if compared and facts.ordered else None
        ),
        f1=_spreads(class_f1_of(confusions).tolist(), facts.classes),
        f1_versus_undistilled=compared.f1() if compared else {},
        auroc_versus_undistilled=compared.areas() if compared else {},
        label_bits=method.label_bits,
    )


class _Compared:
    """One method beside the undistilled student."""

    def __init__(self, predictions: Predictions, number: int) -> None:
        self._classes = predictions.facts.classes
        self._labels, self._groups = predictions.labels, predictions.groups
        self._before, self._after = predictions.decided(0), predictions.decided(number)
        self._ranked = predictions.probabilities(0), predictions.probabilities(number)
        self._folds = predictions.fold_numbers

    def gain(self, statistic: Statistic, family: int = 1, largest: float = 1.0) -> Estimate:
        """The statistic of the method minus that of the undistilled student."""
        difference = seeds_difference(
            statistic, self._before, self._after, self._labels, len(self._classes),
            groups=self._groups, family=family, largest=largest,
        )  # fmt: skip
        return Estimate(**difference._asdict())

    def recalls(self) -> dict[str, Estimate]:
        """Gains in sensitivity of the classes with test images; intervals are simultaneous."""
        present = np.unique(self._labels).tolist()
        return {
            self._classes[k]: self.gain(_of_class(class_recall_of, k), len(present))
            for k in present
        }

    def f1(self) -> dict[str, Estimate]:
        """See `MethodRow.f1_versus_undistilled`."""
        gains = {MACRO: self.gain(macro_f1_of)}
        positive = positive_class(self._classes)
        if positive is not None:
            gains[positive] = self.gain(_of_class(class_f1_of, 1))
        return gains

    def areas(self) -> dict[str, Estimate]:
        """See `MethodRow.auroc_versus_undistilled`."""
        present = np.unique(self._labels).tolist() if len(self._classes) > 2 else []
        gains = {MACRO: self._area(None, 1)}
        return gains | {self._classes[k]: self._area(k, len(present)) for k in present}

    def _area(self, of: int | None, family: int) -> Estimate:
        difference = seeds_auroc_difference(
            *self._ranked, self._labels,
            of=of, folds=self._folds, groups=self._groups, family=family,
        )  # fmt: skip
        return Estimate(**difference._asdict())


def _of_class(statistic: Statistic, index: int) -> Statistic:
    return lambda confusions: statistic(confusions)[..., index]


def _scores(
    logits: NDArray[np.float32], part: TestedPart, ordered: bool
) -> dict[str, float | None]:
    functions = [accuracy, balanced_accuracy, macro_f1, macro_auroc]
    functions += [quadratic_kappa] if ordered else []
    return {function.__name__: function(logits, part.labels) for function in functions}


def _teacher_scores(predictions: Predictions) -> dict[str, float | None]:
    scores = [
        _scores(part.teacher, part, predictions.facts.ordered)
        for part in predictions.parts
        if part.teacher is not None
    ]
    names = scores[0] if scores else {}
    return {name: _spread([score[name] for score in scores]).mean for name in names}


def _spreads(values: Sequence[Sequence[float | None]], classes: Sequence[str]) -> dict[str, Spread]:
    return {name: _spread([run[k] for run in values]) for k, name in enumerate(classes)}


def _spread(values: Sequence[float | None]) -> Spread:
    known = [value for value in values if value is not None]
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(mean=float(np.mean(known)) if known else None, sd=sd)


def _notes(predictions: Predictions, rows: Sequence[MethodRow]) -> list[str]:
    """What the intervals cover, or why there are none."""
    seeds = len(predictions.facts.seeds)
    if seeds < LEAST_SEEDS:
        return [
            "No intervals: one seed each, and what another seed would have given is unknown. "
            "Give three or more (--seeds 0,1,2)."
        ]
    groups, images = np.unique(predictions.groups).size, predictions.groups.size
    drawn = "images" if groups == images else f"{groups} groups of images (lesions or patients)"
    notes = [
        f"Intervals, 95 %, hold what other seeds ({seeds} of each method) and other {drawn} would "
        "change; those of sensitivities and of classes' AUROC hold for all classes together."
    ]
    if predictions.parts[0].teacher is not None:
        each = "each fold" if predictions.facts.folds else "all of them"
        notes.append(f"One teacher served {each}: what another one would change is not in them.")
    unknown = [row.name for row in rows if any(_unbounded(gain) for gain in _gains(row))]
    if unknown:
        notes.append(
            f"Without an interval ({', '.join(unknown)}): a class with a single image or group, "
            "or nothing that varied."
        )
    return notes


def _weak_teacher(teacher: Mapping[str, float | None], undistilled: MethodRow) -> list[str]:
    """A note where the teacher is no better than the student that never saw it."""
    best = teacher.get("balanced_accuracy")
    own = undistilled.metrics["balanced_accuracy"].mean
    if best is None or own is None or best > own:
        return []
    return [
        f"The teacher's balanced accuracy, {100 * best:.1f}, is not above that of the student "
        f"without one, {100 * own:.1f}: look for a better teacher before another method."
    ]


def _gains(row: MethodRow) -> list[Estimate]:
    single = [row.versus_undistilled, row.kappa_versus_undistilled]
    families = [
        row.sensitivity_versus_undistilled,
        row.f1_versus_undistilled,
        row.auroc_versus_undistilled,
    ]
    gains = [gain for gain in single if gain is not None]
    return gains + [gain for family in families for gain in family.values()]


def _unbounded(gain: Estimate) -> bool:
    return gain.value is not None and gain.low is None
