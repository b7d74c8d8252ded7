"""Progress of a build: a live table on a terminal, lines elsewhere, one line for each bundle."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgekd.cli.console import say
from edgekd.lower.precision import LADDER
from edgekd.lower.progress import BuildObserver, LineReporter, verdict_of
from edgekd.metrics.task import metrics_task

if TYPE_CHECKING:
    from rich.table import Table

    from edgekd.bundle import GateRecord, Rung
    from edgekd.lower.build import BuiltBundle

__all__ = ["build_observer", "summary_of"]

_COLUMNS = (
    "file", "rung", "MB", "BACC", "drop [bound]", "worst class", "flips", "ms", "verdict",
)  # fmt: skip
_NUMBERS = 6  # columns between the rung and the verdict


@contextmanager
def build_observer() -> Iterator[BuildObserver]:
    """A live table where stderr is a terminal, else lines."""
    if not sys.stderr.isatty():
        yield LineReporter(say)
        return
    table = _LiveTable()
    with table.live:
        yield table


class _LiveTable:
    """A live table: files while they are made, then each bundle's rungs with their verdicts."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._lock = threading.Lock()
        self._states: dict[tuple[str, str], str] = {}
        self._rungs: dict[tuple[str, str], Rung] = {}
        self._console = Console(stderr=True)
        self.live = Live(console=self._console, refresh_per_second=4)

    def line(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text, highlight=False)

    def state(self, backend: str, label: str, state: str) -> None:
        """Update the row of a file that is being made."""
        with self._lock:
            self._states[backend, label] = state
            self.live.update(self._table())

    def rung(self, bundle: str, rung: Rung) -> None:
        """Replace the row of a rung by its verdict and numbers."""
        with self._lock:
            self._rungs[bundle, _label(rung)] = rung
            self.live.update(self._table())

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(*_COLUMNS, box=None, pad_edge=False)
        for (backend, label), state in self._states.items():
            if state != "ran":
                table.add_row(backend, label, *[""] * _NUMBERS, state)
        for (bundle, label), rung in sorted(self._rungs.items(), key=_place):
            table.add_row(bundle, label, *_cells(rung), verdict_of(rung), style=_style(rung))
        return table


def _place(row: tuple[tuple[str, str], Rung]) -> tuple[str, int, int]:
    """Sort key of a row: by bundle, then down the ladder, with int8-mixed directly after int8."""
    (bundle, _), rung = row
    return bundle, LADDER.index(rung.precision), len(rung.float_layers)


def _label(rung: Rung) -> str:
    layers = f"-{len(rung.float_layers)}" if rung.float_layers else ""
    return f"{rung.precision}{layers}{' fine-tuned' if rung.quantisation_aware else ''}"


def _style(rung: Rung) -> str:
    if rung.chosen:
        return "bold green"
    return "" if rung.gate and rung.gate.passed else "red"


def _cells(rung: Rung) -> list[str]:
    gate = rung.gate
    if gate is None:
        return [""] * _NUMBERS
    high = gate.balanced_accuracy_drop_high
    latency = rung.host_latency_ms
    return [
        f"{rung.size_bytes / 1e6:.2f}",
        "" if gate.balanced_accuracy is None else f"{100 * gate.balanced_accuracy:.1f}",
        "" if high is None else f"{_points(gate.balanced_accuracy_drop)} [{_points(high)}]",
        _worst_class(gate),
        f"{gate.flips:.1%}",
        "" if latency is None else f"{latency:.1f}",
    ]


def _points(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:+.1f}"


def _worst_class(gate: GateRecord) -> str:
    drops = {name: one.drop for name, one in gate.per_class.items() if one.drop is not None}
    if not drops:
        return ""
    name = max(drops, key=lambda name: drops[name] or 0.0)
    return f"{name} {_points(drops[name])}"


def summary_of(bundle: BuiltBundle) -> str:
    """One line: chosen precision, size, selection metric with interval, worst class, flips."""
    taken = next((rung for rung in bundle.rungs if rung.chosen), None)
    if taken is None or bundle.manifest is None:
        return f"{bundle.name}: no file passed its gate"
    if taken.gate is None:
        size = f"{taken.size_bytes / 1e6:.2f} MB"
        return f"{bundle.path}: {_label(taken)}, {size}, {taken.failure}"
    metric = metrics_task(bundle.manifest.task).selection_metric
    artefact = bundle.manifest.metrics["artefact"]
    estimate = artefact.get(metric) or artefact["measures"][metric]
    low, high = estimate["low"], estimate["high"]
    interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    worst = _worst_class(taken.gate)
    known = "" if bundle.fresh else "  (was there already)"
    check = bundle.manifest.lowering.check
    checked = "" if check is None else f"; TensorRT check: {check.summary}"
    certificate = bundle.manifest.certificate
    certified = "" if certificate is None else f"; certified with {certificate.student}"
    return (
        f"{bundle.path}: {_label(taken)}, {taken.size_bytes / 1e6:.2f} MB, "
        f"{metric.replace('_', ' ')} {estimate['value']:.3f}{interval}, "
        f"{f'worst class drop {worst} points, ' if worst else ''}"
        f"flips {taken.gate.flips:.1%}{checked}{certified}{known}"
    )
