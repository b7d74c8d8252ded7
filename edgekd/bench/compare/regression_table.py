"""The changes between two results as a table, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgekd.bench.compare.assessment import ChangeKind
from edgekd.bench.compare.regression import Change, Regressions

__all__ = ["as_markdown", "print_changes", "summary_line"]

_HEADS = ("", "row", "metric", "before", "now", "why")
_NUMBERS = ("before", "now")
_ORDER: tuple[ChangeKind, ...] = ("regression", "unknown", "improvement", "same")
_STYLES = {"regression": "red", "unknown": "yellow", "improvement": "green", "same": "dim"}
_DASH = "\N{EM DASH}"


def summary_line(regressions: Regressions) -> str:
    """One sentence: how many changes of each kind."""
    counts = [(len(regressions.of(verdict)), verdict) for verdict in _ORDER]
    counted = ", ".join(f"{count} {_plural(verdict, count)}" for count, verdict in counts if count)
    added = f"; new rows: {', '.join(regressions.added)}" if regressions.added else ""
    return (counted or "nothing to compare") + added


def print_changes(regressions: Regressions, console: Console | None = None) -> None:
    """Print the summary and the changes, the worst first.

    Args:
        regressions: The changes.
        console: Where to print; None is stdout.
    """
    console = console or Console()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in _HEADS:
        table.add_column(head, justify="right" if head in _NUMBERS else "left", overflow="fold")
    for change in _sorted(regressions.changes):
        table.add_row(*map(escape, _cells(change)), style=_STYLES[change.verdict])
    console.print(table)
    console.print(escape(summary_line(regressions)))


def as_markdown(regressions: Regressions) -> str:
    """The summary and a Markdown table, such as for a comment on a pull request."""
    lines = [
        f"**{summary_line(regressions)}**",
        "",
        f"| {' | '.join(_HEADS)} |",
        "|---|---|---|---:|---:|---|",
    ]
    for change in _sorted(regressions.changes):
        cells = [cell.replace("|", "\\|") for cell in _cells(change)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _sorted(changes: Sequence[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: _ORDER.index(change.verdict))


def _cells(change: Change) -> tuple[str, ...]:
    old, new = _number(change.old), _number(change.new)
    return (change.verdict, change.row, change.metric, old, new, change.words)


def _number(value: float | None) -> str:
    """A number with at most four significant digits; whole numbers in full."""
    if value is None:
        return _DASH
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 10 else f"{value:.4g}"


def _plural(verdict: ChangeKind, count: int) -> str:
    plain = verdict in ("same", "unknown") or count == 1
    return verdict if plain else f"{verdict}s"
