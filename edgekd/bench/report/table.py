"""The result as a table for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgekd.bench.report.columns import columns_of, policy_of
from edgekd.bench.report.flags import missing_sentence, plain_flags
from edgekd.bench.report.formats import (
    TIMES,
    amount,
    count,
    estimate_text,
    over_groups,
    p50_p90,
    percent,
    speedup,
    value_text,
)
from edgekd.bench.report.marked_rows import presentable
from edgekd.bench.report.states import margin_lines, research_text
from edgekd.bench.result import Result, ResultRow
from edgekd.bench.task import MetricColumn

__all__ = ["print_table"]

_WIDTH = 100


def print_table(result: Result, console: Console | None = None) -> None:
    """Print the rows; below them margins, floors, missing numbers and every flag once.

    Args:
        result: The result.
        console: Where to print; None is stdout.
    """
    console = console or Console()
    result = presentable(result)
    width = min(console.width, _WIDTH)
    console.print(_title(result), width=width)
    console.print(_table(result, width), width=width)
    intervals = f"95 % intervals{over_groups(result.data, policy_of(result))}"
    notes = f"{intervals}; ms per image of the model alone; speed as {TIMES} teacher"
    console.print(f"[dim]{notes}[/]", width=width)
    for line in margin_lines(result.rows):
        console.print(escape(line), width=width)
    for sentence in _warnings(result):
        console.print(f"[yellow]![/] {sentence}", width=width)


def _warnings(result: Result) -> list[str]:
    """Rich markup of everything that limits the numbers."""
    lines = [
        escape(f"{row.name}: {research_text(row)}: {'; '.join(row.below_floors)}")
        for row in result.rows
        if row.research
    ]
    lines += [escape(missing_sentence(missing)) for missing in result.missing]
    for flag in plain_flags([(row.name, row) for row in result.rows]):
        clear = flag.names_rows or len(flag.rows) == len(result.rows)
        rows = "" if clear else f" [dim]({escape(', '.join(flag.rows))})[/]"
        lines.append(f"{escape(flag.sentence)}{rows}")
    return lines


def _title(result: Result) -> str:
    data, device = result.data, result.device
    where = device.name + ("" if device.kind == "local" else f" ({device.kind})")
    emulated = ", emulated" if device.emulated else ""
    words = f"{where}{emulated}: {data.n} images of {data.name}/{data.split}"
    return f"[bold]{escape(words)}[/]"


def _table(result: Result, width: int) -> Table:
    columns = _columns(result, wide=width >= _WIDTH)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, collapse_padding=True)
    table.add_column("", overflow="fold", min_width=12)
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in result.rows:
        cells = [cell(row) for cell in columns.values()]
        table.add_row(escape(row.name), *cells, style="" if row.role == "artefact" else "dim")
    return table


def _columns(result: Result, *, wide: bool) -> dict[str, Callable[[ResultRow], str]]:
    """Heading and cells of each column; one that does not fit is left out."""
    columns: dict[str, Callable[[ResultRow], str]] = {}
    for index, column in enumerate(columns_of([result]).headline):
        heading = escape(f"{column.short} {column.unit}".strip())
        columns[heading] = _metric_cell(column, with_interval=index == 0)
    columns |= {"Agree %": _agreement, "p50 / p90 ms": _latency}
    if wide:
        columns["Memory"] = _memory
    columns["Size"] = lambda row: amount(row.size_bytes)
    if wide:
        columns["Params"] = lambda row: count(row.params)
    columns["Speed"] = lambda row: speedup(row, result)
    return columns


def _metric_cell(column: MetricColumn, *, with_interval: bool) -> Callable[[ResultRow], str]:
    def cell(row: ResultRow) -> str:
        estimate = column.estimate(row.metrics)
        if with_interval:
            return estimate_text(estimate, percentage=column.percent)
        value = estimate.value if estimate is not None else None
        return value_text(value, percentage=column.percent)

    return cell


def _agreement(row: ResultRow) -> str:
    return percent(row.vs_teacher.agreement if row.vs_teacher is not None else None)


def _latency(row: ResultRow) -> str:
    series = row.latency_ms.model if row.latency_ms is not None else None
    return p50_p90(series) + ("" if row.valid else "!")


def _memory(row: ResultRow) -> str:
    return amount(row.memory.rss_peak_delta_bytes if row.memory is not None else None)
