"""The table of a comparison, laid out as in papers."""

from __future__ import annotations

from edgekd.distill.comparison.comparison import (
    MACRO,
    Comparison,
    MethodRow,
    Spread,
    positive_class,
)
from edgekd.metrics import Estimate

__all__ = ["difference", "markdown", "percent"]

_HEADS = {
    "accuracy": "ACC",
    "balanced_accuracy": "BACC",
    "macro_f1": "macro F1",
    "macro_auroc": "macro AUROC",
    "quadratic_kappa": "κ²",
}


def markdown(comparison: Comparison) -> str:
    """The table as Markdown, in per cent.

    Below it are notes on its intervals, the sensitivities whose interval excludes 0, and label
    bits.
    """
    first = comparison.rows[0]
    classes, graded = list(first.sensitivity), "quadratic_kappa" in first.metrics
    positive = positive_class(classes)
    versus = ["BACC − none [95 %]", "macro AUROC − none [95 %]"]
    versus += ["κ² − none [95 %]"] if graded else []
    if positive is not None:
        versus += ["macro F1 − none [95 %]", f"F1 {positive}", f"F1 {positive} − none [95 %]"]
    head = ["method", *(_HEADS[name] for name in first.metrics), *versus, *classes]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    if comparison.teacher:
        cells = [percent(Spread(mean=value, sd=None)) for value in comparison.teacher.values()]
        blank = " |" * (len(versus) + len(classes))
        lines.append(f"| teacher | {' | '.join(cells)} |{blank}")
    for row in comparison.rows:
        cells = [percent(spread) for spread in row.metrics.values()]
        cells.append(difference(row.versus_undistilled))
        cells.append(difference(row.auroc_versus_undistilled.get(MACRO)))
        cells += [difference(row.kappa_versus_undistilled)] if graded else []
        cells += _f1_cells(row, positive) if positive is not None else []
        cells += [percent(row.sensitivity[name]) for name in classes]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    notes = list(comparison.notes)
    notes += [_changed(row) for row in comparison.rows if _beyond_chance(row)]
    notes += [f"{row.name}: {row.label_bits.text()}" for row in comparison.rows if row.label_bits]
    return "\n".join(lines) + "\n" + "".join(f"\n{line}\n" for line in notes)


def _beyond_chance(row: MethodRow) -> dict[str, Estimate]:
    """The classes whose interval excludes 0; by chance alone, 5 % of tables have one."""
    return {
        name: gain
        for name, gain in row.sensitivity_versus_undistilled.items()
        if gain.low is not None and gain.high is not None and not gain.low <= 0 <= gain.high
    }


def _changed(row: MethodRow) -> str:
    changes = [f"{name}: {difference(gain)}" for name, gain in _beyond_chance(row).items()]
    return f"{row.name}, sensitivity − none beyond chance: {'; '.join(changes)}"


def _f1_cells(row: MethodRow, positive: str) -> list[str]:
    gains = row.f1_versus_undistilled
    macro, of_positive = difference(gains.get(MACRO)), difference(gains.get(positive))
    return [macro, percent(row.f1[positive]), of_positive]


def percent(spread: Spread) -> str:
    """Mean ± standard deviation in per cent; a dash without a value."""
    if spread.mean is None:
        return "—"
    mean = f"{100 * spread.mean:.1f}"
    return mean if spread.sd is None else f"{mean} ± {100 * spread.sd:.1f}"


def difference(estimate: Estimate | None) -> str:
    """A difference in points with its interval, where it has one; a dash without a value."""
    if estimate is None or estimate.value is None:
        return "—"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:+.1f}"
    return f"{100 * estimate.value:+.1f} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"
