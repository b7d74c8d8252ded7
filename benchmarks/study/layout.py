"""The study's tables as Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from records import Record
from summaries import MELANOMA, RowSummary, TableSummary, spread_of

from edgekd.distill.comparison.comparison_table import difference, percent

__all__ = ["NOTHING", "NOT_RUN", "head", "table_markdown"]

NOT_RUN = "not run yet"
NOTHING = "—"
_MILLION = 1e6

Cell = Callable[[RowSummary], str]


def table_markdown(summary: TableSummary, runs: Mapping[str, Record]) -> str:
    """A table with its classes and notes.

    Args:
        summary: The table.
        runs: All records by table and name, for what the members of an average cost.
    """
    done = [row for row in summary.rows if row.records]
    lines = [line for part in _parts(summary, done, runs) for line in (*part, "")]
    return "\n".join(lines).rstrip() + "\n"


def _parts(
    summary: TableSummary, done: Sequence[RowSummary], runs: Mapping[str, Record]
) -> list[list[str]]:
    """The table, its classes, its teachers, its notes and the rows that are not run."""
    if not done:
        return [_not_run(summary), _stale(summary)]
    columns = _columns(summary, runs)
    table = [*head(["row", "what it is", *columns]), *(_line(row, columns) for row in done)]
    title = [f"Sensitivity by class, {summary.part} part:"]
    notes = [[note] for note in _notes(summary)]
    again = _trained_again(summary.rows, runs)
    teachers = [*_teachers(summary, done, runs), *again]
    return [table, title, _classes(summary, done), *teachers, *notes, _not_run(summary)]


def _columns(summary: TableSummary, runs: Mapping[str, Record]) -> dict[str, Cell]:
    part, columns = summary.part, dict[str, Cell]()
    columns["seeds"] = lambda row: _seeds(row, summary)
    columns["M params"] = lambda row: _params(row)
    columns["epochs"] = lambda row: _epochs(row)
    if part == "test":
        columns["BACC val."] = lambda row: percent(row.spread("validation", "balanced_accuracy"))
    columns["BACC"] = lambda row: percent(row.spread(part, "balanced_accuracy"))
    controlled = any(row.row.control or summary.table.control for row in summary.rows)
    if controlled:
        columns["− control [95 %]"] = lambda row: _gain(row, summary)
    columns["mel sens."] = lambda row: percent(row.spread(part, "sensitivity", MELANOMA))
    columns["mel AUROC"] = lambda row: percent(row.spread(part, "auroc", MELANOMA))
    if controlled:
        columns["mel AUROC − control [95 %]"] = lambda row: difference(row.melanoma_auroc)
    columns["macro AUROC"] = lambda row: percent(row.spread(part, "macro_auroc"))
    columns["ACC"] = lambda row: percent(row.spread(part, "accuracy"))
    columns["ECE"] = lambda row: percent(row.spread(part, "ece"))
    columns["hours"] = lambda row: _hours(row, runs)
    return columns


def head(names: Sequence[str]) -> list[str]:
    """The two lines that a table begins with."""
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]


def _line(row: RowSummary, columns: Mapping[str, Cell]) -> str:
    cells = [cell(row) for cell in columns.values()]
    return f"| {row.name} | {row.row.says} | {' | '.join(cells)} |"


def _not_run(summary: TableSummary) -> list[str]:
    """The rows without a record, one in a line; empty where all are run."""
    missing = [f"- {row.name}: {row.row.says}" for row in summary.rows if not row.records]
    return [f"{NOT_RUN.capitalize()}:", "", *missing] if missing else []


def _seeds(row: RowSummary, summary: TableSummary) -> str:
    done, planned = len(row.records), len(summary.table.seeds)
    return str(done) if done >= planned else f"{done} of {planned}"


def _params(row: RowSummary) -> str:
    return f"{next(iter(row.records.values())).network.params / _MILLION:.2f}"


def _epochs(row: RowSummary) -> str:
    numbers = sorted({record.epochs for record in row.records.values()})
    return ", ".join(str(number) if number else NOTHING for number in numbers)


def _gain(row: RowSummary, summary: TableSummary) -> str:
    control = row.row.control or summary.table.control
    if not control or control == row.name or row.versus is None:
        return NOTHING
    gain = difference(row.versus.versus_undistilled)
    return gain if control == summary.table.control else f"{gain} ({control})"


def _hours(row: RowSummary, runs: Mapping[str, Record]) -> str:
    """Processor hours of a run; of an average, those of its members together."""
    hours = [_processor_hours(record, runs) for record in row.records.values()]
    mean = spread_of(hours).mean
    return NOTHING if mean is None else f"{mean:.1f}"


def _processor_hours(record: Record, runs: Mapping[str, Record]) -> float | None:
    if record.epochs:  # what was trained before its cost was measured has no sessions
        return record.cost.processor_hours if record.cost.sessions else None
    members = [runs.get(member.run) for member in record.teachers]
    known = [member.cost.processor_hours for member in members if member is not None]
    return sum(known) if len(known) == len(members) else None


def _classes(summary: TableSummary, done: Sequence[RowSummary]) -> list[str]:
    """Sensitivity by class of the rows that were run."""
    classes = next(iter(done[0].records.values())).data.classes
    lines = head(["row", *classes])
    for row in done:
        cells = (percent(row.spread(summary.part, "sensitivity", name)) for name in classes)
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return lines


def _teachers(
    summary: TableSummary, done: Sequence[RowSummary], runs: Mapping[str, Record]
) -> list[list[str]]:
    """What taught the students, judged on the same images."""
    if summary.table.role != "student":
        return []
    known = {run for run, record in runs.items() if summary.part in record.metrics}
    students: defaultdict[str, list[str]] = defaultdict(list)
    for row in done:
        taught_by = {taught.run for record in row.records.values() for taught in record.teachers}
        for run in sorted(taught_by & known):
            students[run].append(row.name)
    if not students:
        return []
    lines = head(["teacher", "of", "epochs", "BACC", "mel AUROC", "macro AUROC"])
    for run, names in students.items():
        lines.append(f"| {run} | {', '.join(names)} | {_figures(runs[run], summary.part)} |")
    return [[f"Their teachers, {summary.part} part:"], lines]


def _figures(record: Record, part: str) -> str:
    scores = record.metrics[part]
    figures = (scores.balanced_accuracy, scores.auroc[MELANOMA], scores.macro_auroc)
    cells = (percent(spread_of([figure])) for figure in figures)
    return " | ".join([str(record.epochs), *cells])


def _notes(summary: TableSummary) -> list[str]:
    """What the table's numbers cover, and what makes its rows unequal."""
    notes = [_judged_on(summary), *_changed_classes(summary), *_single_seeds(summary)]
    records = summary.records
    if len({record.precision for record in records}) > 1:
        notes.append(f"Precisions differ: {_by_value(records, lambda r: r.precision)}.")
    if len({record.data.content_sha256 for record in records}) > 1:
        notes.append("Records are of different image files; rows are compared where they agree.")
    return [*notes, *_stale(summary)]


def _stale(summary: TableSummary) -> list[str]:
    stale = [name for row in summary.rows for name in row.stale]
    if not stale:
        return []
    return [f"Not shown, because their recipes have changed since: {', '.join(stale)}."]


def _judged_on(summary: TableSummary) -> str:
    records = summary.records
    part = f"Per cent on the {summary.part} part"
    if records:
        numbers = sorted({record.data.images[summary.part] for record in records})
        part += f" ({' or '.join(map(str, numbers))} images)"
    return f"{part}, mean ± standard deviation over seeds; hours are of one processor, for a run."


def _single_seeds(summary: TableSummary) -> list[str]:
    gains = [row.versus.versus_undistilled for row in summary.rows if row.versus is not None]
    bounded = [gain for gain in gains if gain is not None and gain.low is not None]
    notes = []
    if bounded:
        notes.append(
            "Intervals hold what other seeds and other lesions would change, not what another "
            "teacher or other training images would."
        )
    if len(bounded) < len(gains):
        notes.append("A difference without an interval is of one seed: another may give another.")
    return notes


def _changed_classes(summary: TableSummary) -> list[str]:
    """Classes whose sensitivity differs from the control's beyond chance."""
    notes = []
    for row in summary.rows:
        gains = row.versus.sensitivity_versus_undistilled if row.versus else {}
        beyond = {
            name: gain
            for name, gain in gains.items()
            if gain.low is not None and gain.high is not None and gain.low * gain.high > 0
        }
        if beyond:
            changes = "; ".join(f"{name}: {difference(gain)}" for name, gain in beyond.items())
            notes.append(f"{row.name}, sensitivity − control beyond chance: {changes}.")
    return notes


def _trained_again(rows: Sequence[RowSummary], runs: Mapping[str, Record]) -> list[list[str]]:
    """A teacher that was trained again elsewhere has other weights under the same recipe."""
    weights = defaultdict(set)
    for row in rows:
        for record in row.records.values():
            for teacher in record.teachers:
                weights[teacher.run].add(teacher.weights_sha256)
    for run in weights.keys() & runs.keys():
        weights[run].add(runs[run].network.weights_sha256)
    again = ", ".join(run for run, hashes in weights.items() if len(hashes) > 1)
    if not again:
        return []
    figures = "figures are of the weights on record"
    return [
        [f"Trained more than once, with other weights under the same recipe ({figures}): {again}."]
    ]


def _by_value(records: Sequence[Record], value: Callable[[Record], str]) -> str:
    names = defaultdict(list)
    for record in records:
        names[value(record)].append(record.name)
    return "; ".join(f"{each}: {', '.join(those)}" for each, those in names.items())
