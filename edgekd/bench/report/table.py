"""The result as a table for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgekd.bench.report.marked_rows import honest
from edgekd.bench.report.words import (
    TIMES,
    amount,
    count,
    kappa,
    melanoma,
    over_groups,
    p50_p90,
    percent,
    percent_interval,
    plain_flags,
    plain_missing,
    speed,
)
from edgekd.bench.result import Result, ResultRow

__all__ = ["print_table"]

_WIDTH = 100


def print_table(result: Result, console: Console | None = None) -> None:
    """Print the rows and, below them, what is missing and every flag once in plain words.

    Args:
        result: What was measured.
        console: Where to print; None is stdout.
    """
    console = console or Console()
    result = honest(result)
    width = min(console.width, _WIDTH)
    console.print(_title(result), width=width)
    console.print(_table(result, width), width=width)
    intervals = f"95 % intervals{over_groups(result.data)}"
    notes = f"{intervals}; ms per image of the model alone; speed as {TIMES} teacher"
    console.print(f"[dim]{notes}[/]", width=width)
    for sentence in result.missing:
        console.print(f"[yellow]![/] {escape(plain_missing(sentence))}", width=width)
    for flag in plain_flags([(row.name, row) for row in result.rows]):
        told = flag.names_rows or len(flag.rows) == len(result.rows)
        rows = "" if told else f" [dim]({escape(', '.join(flag.rows))})[/]"
        console.print(f"[yellow]![/] {escape(flag.sentence)}{rows}", width=width)


def _title(result: Result) -> str:
    data, device = result.data, result.device
    where = device.name + ("" if device.kind == "local" else f" ({device.kind})")
    emulated = ", emulated" if device.emulated else ""
    words = f"{where}{emulated}: {data.n} images of {data.name}/{data.split}"
    return f"[bold]{escape(words)}[/]"


def _table(result: Result, width: int) -> Table:
    heads, rows = _cells(result, wide=width >= _WIDTH)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, collapse_padding=True)
    table.add_column("", overflow="fold", min_width=12)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for row, cells in zip(result.rows, rows, strict=True):
        table.add_row(escape(row.name), *cells, style="" if row.role == "artefact" else "dim")
    return table


def _cells(result: Result, *, wide: bool) -> tuple[list[str], list[list[str]]]:
    """Heads and cells; a column that cannot apply or does not fit is left out."""
    columns: dict[str, Callable[[ResultRow], str]] = {"Bal. acc. %": _balanced_accuracy}
    if any(melanoma(row) is not None for row in result.rows):
        columns["Mel. %"] = _melanoma
    if any(kappa(row) is not None for row in result.rows):
        columns["κ² %"] = _kappa
    columns |= {"Agree %": _agreement, "p50 / p90 ms": _latency}
    if wide:
        columns["Memory"] = _memory
    columns["Size"] = lambda row: amount(row.size_bytes)
    if wide:
        columns["Params"] = lambda row: count(row.params)
    columns["Speed"] = lambda row: speed(row, result)
    return list(columns), [[cell(row) for cell in columns.values()] for row in result.rows]


def _balanced_accuracy(row: ResultRow) -> str:
    return percent_interval(row.metrics.balanced_accuracy if row.metrics is not None else None)


def _melanoma(row: ResultRow) -> str:
    sensitivity = melanoma(row)
    return percent(sensitivity.value if sensitivity is not None else None)


def _kappa(row: ResultRow) -> str:
    found = kappa(row)
    return percent(found.value if found is not None else None)


def _agreement(row: ResultRow) -> str:
    return percent(row.vs_teacher.agreement if row.vs_teacher is not None else None)


def _latency(row: ResultRow) -> str:
    series = row.latency_ms.model if row.latency_ms is not None else None
    return p50_p90(series) + ("" if row.valid else "!")


def _memory(row: ResultRow) -> str:
    return amount(row.memory.rss_peak_delta_bytes if row.memory is not None else None)
