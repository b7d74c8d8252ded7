"""Flags and missing numbers as sentences, each kind once for all rows that carry it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgekd.bench.measure.flags import NOT_MEASURED
from edgekd.bench.result import Missing, ResultRow

__all__ = ["SENTENCES", "PlainFlag", "missing_sentence", "plain_flags", "reason_for_null"]

SENTENCES = {
    "accelerator": "The requested accelerator was not obtained in full: {}.",
    "accuracy-from-host": "Accuracy was measured on the host, not on the device: {}.",
    "accuracy-not-measured": "Accuracy was not measured: {}.",
    "clock-jump": "The clock jumped while times were taken: {}.",
    "clock-limit": "The processor may not run as fast as it can: {}.",
    "drift": "The times drifted while they were taken: {}.",
    "emulated": "The device is emulated, which says nothing about speed, memory or energy: {}.",
    "energy-not-measured": "Energy was not measured: {}.",
    "governor": "The processor was not set to a constant clock: {}.",
    "high-variation": "The times vary too much to be relied on: {}.",
    "model-alone": "The model alone was timed: {}.",
    "no-samples": "Only statistics of the runs are known: {}.",
    "latency-not-measured": "Speed was not measured: {}.",
    "memory-not-measured": "Memory was not measured: {}.",
    "other-load": "The machine was busy with other work: {}.",
    "partitions": "The engine runs the model in pieces, which costs time: {}.",
    "random-input": "The times were not taken on photos: {}.",
    "slow-clock": "The processor ran slower than it can: {}.",
    "smoke": "The times show that the chain works and are no measurement: {}.",
    "stolen-time": "The hypervisor gave the processor to others: {}.",
    "sustained-not-measured": "A sustained run was not measured: {}.",
    "swap": "The machine was swapping memory to disk: {}.",
    "sweep-not-measured": "Other numbers of threads were not measured: {}.",
    "threads": "Not every requested thread has a core: {}.",
    "throttled": "The processor was slowed down by heat or low voltage: {}.",
    "too-few-samples": "Fewer runs were taken than the preset requires: {}.",
    "unknown-options": "The timing program does not know some of its options: {}.",
    "virtual-machine": "This is a virtual machine, whose host moves the clock: {}.",
    "unsteady": "The times went up and down while they were taken: {}.",
}
"""Sentence for each code of `Flag`, with a place for the details."""

_REASONS = {
    "latency": ("emulated", NOT_MEASURED["latency"]),
    "memory": ("emulated", NOT_MEASURED["memory"], NOT_MEASURED["latency"]),
    "energy": ("emulated", NOT_MEASURED["energy"]),
    "accuracy": (NOT_MEASURED["accuracy"],),
}
"""Codes that explain a null of each kind, the most informative one first."""


@dataclass(frozen=True)
class PlainFlag:
    """One kind of flag in words.

    Attributes:
        sentence: The whole sentence. Where rows differ in the details, it names them itself.
        rows: Names of the rows that carry the flag.
        names_rows: Whether the sentence names its rows.
        stem: The sentence without the details; empty where all rows have the same.
        details: Each detail with the rows that it holds for.
    """

    sentence: str
    rows: tuple[str, ...]
    names_rows: bool
    stem: str = ""
    details: tuple[tuple[str, tuple[str, ...]], ...] = ()


def plain_flags(rows: Sequence[tuple[str, ResultRow]]) -> list[PlainFlag]:
    """Each kind of flag once, with the names of the rows that carry it."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for name, row in rows:
        for flag in row.flags:
            kinds.setdefault(flag.code, {}).setdefault(flag.detail, []).append(name)
    return [_plain_flag(code, details) for code, details in kinds.items()]


def _plain_flag(code: str, details: dict[str, list[str]]) -> PlainFlag:
    rows = tuple(dict.fromkeys(name for names in details.values() for name in names))
    if len(details) == 1:
        return PlainFlag(_sentence(code, next(iter(details))), rows, names_rows=False)
    listed = "; ".join(f"{text} ({', '.join(names)})" for text, names in details.items())
    stem = _sentence(code, "").rstrip(": .")
    return PlainFlag(_sentence(code, listed), rows, True, stem, _by_rows(details))


def _sentence(code: str, details: str) -> str:
    """The sentence of a code; an unknown code of a newer edgekd is shown as it is."""
    if code in SENTENCES:
        return SENTENCES[code].format(details)
    return f"{code}: {details}." if details else f"{code}."


def _by_rows(details: dict[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The details joined for each set of rows that share all of them."""
    of_row: dict[str, list[str]] = {}
    for text, names in details.items():
        for name in dict.fromkeys(names):
            of_row.setdefault(name, []).append(text)
    rows: dict[str, list[str]] = {}
    for name, texts in of_row.items():
        rows.setdefault("; ".join(texts), []).append(name)
    return tuple((text, tuple(names)) for text, names in rows.items())


def missing_sentence(missing: Missing) -> str:
    """A missing number as a sentence, with the name of its row."""
    sentence = SENTENCES.get(missing.code, "{}").format(missing.detail)
    return f"{missing.row}: {sentence}" if missing.row else sentence


def reason_for_null(
    row: ResultRow, kind: Literal["latency", "memory", "energy", "accuracy"]
) -> str:
    """Why that kind of number is null, by the row's flags; may be empty."""
    details = {flag.code: flag.detail or flag.code for flag in reversed(row.flags)}
    return next((details[code] for code in _REASONS[kind] if code in details), "")
