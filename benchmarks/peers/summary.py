"""The numbers of the tables, from series: medians, ratios within rounds, aims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from contest import EDGEKD, FLOOR, PEERS, TUTORIAL
from passes import Series

__all__ = ["Aim", "Spread", "aims_of", "cold_summary", "memory_summary", "speed_summary"]

Summary = dict[str, dict[str, dict[str, Any]]]
"""Numbers by size and contestant."""


@dataclass(frozen=True)
class Spread:
    """A median, with the smallest and the largest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        """The text in the tables."""
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


@dataclass(frozen=True)
class Aim:
    """An aim of the project, and what was measured.

    Attributes:
        what: The aim in words.
        limit: The number to stay below, or to reach.
        at_least: Whether the limit has to be reached rather than kept below.
        measured: None where a contestant is missing.
    """

    what: str
    limit: float
    at_least: bool
    measured: Spread | None

    @property
    def met(self) -> bool | None:
        """Whether the median meets the limit; None where it was not measured."""
        if self.measured is None:
            return None
        value = self.measured.median
        return value >= self.limit if self.at_least else value <= self.limit


def speed_summary(times: dict[str, Series]) -> Summary:
    """Milliseconds, their ratio to the floor's, and how many times as fast as the tutorial."""
    return {size: _of_speed(series) for size, series in times.items()}


def _of_speed(series: Series) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "ms": Spread.of([median(turns) for turns in rounds]),
            "of_floor": _quotient(series, name, FLOOR),
            "tutorial_by": _quotient(series, TUTORIAL, name),
        }
        for name, rounds in series.items()
    }


def _quotient(series: Series, above: str, below: str) -> Spread | None:
    """Quotients within turns, their median within rounds, and the median of these."""
    if above not in series or below not in series:
        return None
    return Spread.of(
        [
            median(one / other for one, other in zip(*turns, strict=True))
            for turns in zip(series[above], series[below], strict=True)
        ]
    )


def cold_summary(starts: dict[str, dict[str, list[dict[str, float]]]]) -> Summary:
    """Milliseconds, in total and by step, and the ratio to the quickest peer within each run."""
    found: Summary = {}
    for size, by_name in starts.items():
        totals = {name: [run["total"] for run in runs] for name, runs in by_name.items()}
        peers = [name for name in PEERS if name in totals]
        quickest = min(peers, key=lambda name: median(totals[name]), default=None)
        found[size] = {
            name: {
                "ms": Spread.of(totals[name]),
                "steps": {
                    step: median(run[step] for run in runs)
                    for step in ("interpreter", "open", "photo")
                },
                "quickest_peer": quickest,
                "of_quickest_peer": _in_pairs(totals, name, quickest),
            }
            for name, runs in by_name.items()
        }
    return found


def memory_summary(peaks: dict[str, dict[str, list[int]]]) -> Summary:
    """MB, and their ratio to the floor's within each run."""
    return {
        size: {
            name: {
                "mb": Spread.of([run / 1e6 for run in runs]),
                "of_floor": _in_pairs(by_name, name, FLOOR),
            }
            for name, runs in by_name.items()
        }
        for size, by_name in peaks.items()
    }


def _in_pairs(
    values: dict[str, list[float]] | dict[str, list[int]], above: str, below: str | None
) -> Spread | None:
    if below is None or below not in values:
        return None
    return Spread.of([a / b for a, b in zip(values[above], values[below], strict=True)])


def aims_of(speed: Summary, cold: Summary, memory: Summary) -> list[Aim]:
    """The aims of the project's issue on the runtime, each with what was measured."""
    off = "edgekd, quality off"
    _, middle, large = speed
    return [
        *(
            Aim(f"{name}: time over the floor, {size}", limit, False, _at(speed, size, name))
            for name, limit in ((off, 1.05), (EDGEKD, 1.20))
            for size in speed
        ),
        *(
            Aim(
                f"{name}: times as fast as the tutorial, {size}", limit, True,
                _at(speed, size, name, "tutorial_by"),
            )
            for name in (off, EDGEKD)
            for size, limit in ((middle, 3.0), (large, 4.0))
        ),
        *(
            Aim(
                f"{EDGEKD}: cold start over the quickest peer's, {size}", 0.6, False,
                _at(cold, size, EDGEKD, "of_quickest_peer"),
            )
            for size in cold
        ),
        *(
            Aim(
                f"{EDGEKD}: peak memory over the floor's, {size}", 1.10, False,
                _at(memory, size, EDGEKD),
            )
            for size in memory
        ),
    ]  # fmt: skip


def _at(summary: Summary, size: str, name: str, key: str = "of_floor") -> Spread | None:
    found: Spread | None = summary[size].get(name, {}).get(key)
    return found
