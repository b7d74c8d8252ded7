"""The rows of a table, computed from records by the statistics of `edgekd compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from design import Design, Part, Row, Table
from records import Judged, Record, read_judged, read_record

from edgekd.distill.comparison.comparison import MethodRow, Spread, comparison_of
from edgekd.distill.comparison.predictions import (
    ComparedMethod,
    PredictionFacts,
    Predictions,
    TestedPart,
)
from edgekd.metrics import Estimate
from edgekd.metrics.seeds import seeds_auroc_difference

__all__ = ["MELANOMA", "RowSummary", "TableSummary", "part_of", "spread_of", "summary_of"]

MELANOMA = "mel"


@dataclass(frozen=True)
class RowSummary:
    """One row.

    Attributes:
        name: Its name.
        row: Its section of the table.
        records: Records of its present recipe, by seed; empty where it was not run yet.
        stale: Names of records of another recipe.
        versus: The row beside its control, over the seeds that both have; None without a control
            or without a common seed.
        melanoma_auroc: The area of melanoma minus the control's, as `versus`. It was named before
            any training, so its interval does not share its level with other classes.
    """

    name: str
    row: Row
    records: Mapping[int, Record]
    stale: tuple[str, ...]
    versus: MethodRow | None = None
    melanoma_auroc: Estimate | None = None

    def spread(self, part: str, *keys: str) -> Spread:
        """Mean and deviation over the seeds of a metric, or of one class's."""
        return spread_of([_metric(record, part, keys) for record in self.records.values()])


@dataclass(frozen=True)
class TableSummary:
    """One table.

    Attributes:
        name: Its name.
        table: Its section.
        part: The part that it is judged on.
        rows: Its rows.
    """

    name: str
    table: Table
    part: Part
    rows: tuple[RowSummary, ...]

    @property
    def records(self) -> list[Record]:
        """All records that count."""
        return [record for row in self.rows for record in row.records.values()]


def part_of(table: Table) -> Part:
    """The part that a table is judged on: the test part, where it may see it."""
    return "test" if "test" in table.parts else "validation"


def summary_of(design: Design, name: str, results: Path) -> TableSummary:
    """A table, as far as it was run.

    Raises:
        InputError: There is no such table.
        ArtefactError: A record is damaged.
    """
    table = design.table(name)
    rows = {row: _row(design, name, row, results) for row in table.rows}
    part = part_of(table)
    compared = (_compared(rows, row, table, part, results) for row in rows)
    return TableSummary(name, table, part, tuple(compared))


def _row(design: Design, name: str, row: str, results: Path) -> RowSummary:
    records: dict[int, Record] = {}
    stale = []
    for seed in _seeds(results / name, row):
        record, job = read_record(results, name, f"{row}-seed{seed}"), design.job(name, row, seed)
        if record is not None and record.recipe_sha256 == job.recipe_sha256:
            records[seed] = record
        elif record is not None:
            stale.append(record.name)
    return RowSummary(row, design.table(name).rows[row], records, tuple(stale))


def _seeds(folder: Path, row: str) -> list[int]:
    texts = [file.stem.removeprefix(f"{row}-seed") for file in folder.glob(f"{row}-seed*.json")]
    return sorted(int(text) for text in texts if text.isdigit())


def _compared(
    rows: Mapping[str, RowSummary], name: str, table: Table, part: Part, results: Path
) -> RowSummary:
    row = rows[name]
    control = row.row.control or table.control
    if not control or control == name:
        return row
    first, seeds = rows[control], sorted(rows[control].records.keys() & row.records.keys())
    pairs = [[each.records[seed] for seed in seeds] for each in (first, row)]
    if not seeds or len({_data(record) for each in pairs for record in each}) > 1:
        return row
    predictions = _predictions([control, name], pairs, part, results)
    versus = comparison_of(predictions).rows[1]
    return replace(row, versus=versus, melanoma_auroc=_melanoma_auroc(predictions))


def _melanoma_auroc(predictions: Predictions) -> Estimate | None:
    classes = predictions.facts.classes
    if MELANOMA not in classes:
        return None
    first, second = (predictions.probabilities(number) for number in (0, 1))
    of, groups = classes.index(MELANOMA), predictions.groups
    gain = seeds_auroc_difference(first, second, predictions.labels, of=of, groups=groups)
    return Estimate(**gain._asdict())


def _data(record: Record) -> tuple[str, str]:
    return record.data.split_sha256, record.data.content_sha256


def _predictions(
    names: Sequence[str], records: Sequence[Sequence[Record]], part: Part, results: Path
) -> Predictions:
    """The records' logits as `edgekd compare` keeps them; all are of the same images."""
    judged = [[read_judged(results, record, part) for record in each] for each in records]
    one, data = judged[0][0], records[0][0].data
    facts = PredictionFacts(
        data=data.name,
        classes=data.classes,
        ordered=False,
        images=data.images,
        split_sha256=data.split_sha256,
        methods=tuple(ComparedMethod(name=name, method=name) for name in names),
        seeds=tuple(record.seed for record in records[0]),
    )
    return Predictions(facts, (TestedPart(one.labels, one.groups, _stacked(judged)),))


def _stacked(
    judged: Sequence[Sequence[Judged]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array([[each.logits for each in of_row] for of_row in judged], np.float32)


def _metric(record: Record, part: str, keys: Sequence[str]) -> float | None:
    value = getattr(record.metrics[part], keys[0])
    for key in keys[1:]:
        value = value.get(key)
    return value


def spread_of(values: Sequence[float | None]) -> Spread:
    """Mean and standard deviation (n − 1) of the values that are known."""
    known = [value for value in values if value is not None]
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(mean=float(np.mean(known)) if known else None, sd=sd)
