"""What a comparison found, and the table that a paper would print of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgekd.distill.label_bits import LabelBits
from edgekd.metrics import Estimate

__all__ = ["MACRO", "Comparison", "MethodRow", "Spread", "markdown", "positive_class"]

MACRO = "macro"

_HEADS = {
    "accuracy": "ACC",
    "balanced_accuracy": "BACC",
    "macro_f1": "macro F1",
    "macro_auroc": "macro AUROC",
    "quadratic_kappa": "κ²",
}


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation (n − 1) over the runs (seeds × folds); none for one run."""

    mean: float
    sd: float | None


class MethodRow(msgspec.Struct, frozen=True, kw_only=True):
    """One method.

    Attributes:
        name: Of its recipe; `none` is the student without a teacher.
        method: Of its recipe.
        seeds: Trained with.
        metrics: accuracy, balanced_accuracy, macro_f1, macro_auroc on the test part, and
            quadratic_kappa where the classes are grades.
        sensitivity: By class.
        sensitivity_versus_undistilled: Of each class that has test images, see
            `versus_undistilled`.
        versus_undistilled: Balanced accuracy minus that of `none`, paired over images and seeds;
            over the test images of all folds together.
        kappa_versus_undistilled: Likewise of the quadratic kappa, for grades.
        f1: By class.
        f1_versus_undistilled: Likewise of F1: `macro`, and of two classes the second, which is
            the positive one (`malignant` of benign and malignant).
        label_bits: What the teacher's subclasses told beyond the classes; means over the folds.
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
    label_bits: LabelBits | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The whole table.

    Attributes:
        data: Name of the data set.
        images: Images by part; of the first fold, where there are folds.
        split_sha256: Hash of the split, or of those of all folds.
        teacher: Test metrics of the teacher that all methods share, means over the folds.
        rows: The methods, `none` first.
        folds: Number of folds; every image is in the test part of one. 0 without.
    """

    data: str
    images: dict[str, int]
    split_sha256: str
    teacher: dict[str, float]
    rows: tuple[MethodRow, ...]
    folds: int = 0


def positive_class(classes: Sequence[str]) -> str | None:
    """The second of two classes; None where there are more."""
    return classes[1] if len(classes) == 2 else None


def markdown(comparison: Comparison) -> str:
    """The table as Markdown, in per cent.

    Below it the sensitivities that chance does not explain, and the label bits where there are any.
    """
    first = comparison.rows[0]
    classes, graded = list(first.sensitivity), "quadratic_kappa" in first.metrics
    positive = positive_class(classes)
    versus = ["BACC − none [95 %]", *(["κ² − none [95 %]"] if graded else [])]
    if positive is not None:
        versus += ["macro F1 − none [95 %]", f"F1 {positive}", f"F1 {positive} − none [95 %]"]
    head = ["method", *(_HEADS[name] for name in first.metrics), *versus, *classes]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    if comparison.teacher:
        cells = [f"{100 * value:.1f}" for value in comparison.teacher.values()]
        blank = " |" * (len(versus) + len(classes))
        lines.append(f"| teacher | {' | '.join(cells)} |{blank}")
    for row in comparison.rows:
        cells = [_percent(spread) for spread in row.metrics.values()]
        cells.append(_difference(row.versus_undistilled))
        cells += [_difference(row.kappa_versus_undistilled)] if graded else []
        cells += _f1_cells(row, positive) if positive is not None else []
        cells += [_percent(row.sensitivity[name]) for name in classes]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    told = [_changed(row) for row in comparison.rows if _beyond_chance(row)]
    told += [f"{row.name}: {row.label_bits.text()}" for row in comparison.rows if row.label_bits]
    return "\n".join(lines) + "\n" + "".join(f"\n{line}\n" for line in told)


def _beyond_chance(row: MethodRow) -> dict[str, Estimate]:
    """The classes whose interval does not hold 0."""
    return {
        name: found
        for name, found in row.sensitivity_versus_undistilled.items()
        if found.low is not None and found.high is not None and not found.low <= 0 <= found.high
    }


def _changed(row: MethodRow) -> str:
    changes = [f"{name}: {_difference(found)}" for name, found in _beyond_chance(row).items()]
    return f"{row.name}, sensitivity − none beyond chance: {'; '.join(changes)}"


def _f1_cells(row: MethodRow, positive: str) -> list[str]:
    gains = row.f1_versus_undistilled
    macro, own = _difference(gains.get(MACRO)), _difference(gains.get(positive))
    return [macro, _percent(row.f1[positive]), own]


def _percent(spread: Spread) -> str:
    mean = f"{100 * spread.mean:.1f}"
    return mean if spread.sd is None else f"{mean} ± {100 * spread.sd:.1f}"


def _difference(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "—"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:+.1f}"
    return f"{100 * estimate.value:+.1f} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"
