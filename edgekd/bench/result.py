"""The result of a measurement, as it is written to JSON (design: one schema, version inside).

A number that was not measured on the named device is null and has a flag that says so.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edgekd.metrics import ClassMetrics, Estimate, Metrics

__all__ = [
    "SCHEMA_VERSION",
    "ClassMetrics",
    "Comparison",
    "DataFacts",
    "Device",
    "Estimate",
    "Latency",
    "LatencySeries",
    "Memory",
    "Metrics",
    "Result",
    "Row",
]

SCHEMA_VERSION = "1.0"


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Comparison(_Section, frozen=True, kw_only=True):
    """One row beside the teacher, on the same images and, for speed, the same machine."""

    balanced_accuracy_delta: Estimate | None = None
    agreement: float | None = None
    flips: int | None = None
    speedup_p50: float | None = None
    size_ratio: float | None = None
    params_ratio: float | None = None


class LatencySeries(_Section, frozen=True, kw_only=True):
    """Milliseconds of single images, one after the other. No sample is ever dropped."""

    p50: float
    p90: float
    p95: float | None
    p99: float | None
    mean: float
    std: float
    min: float
    max: float
    n: int
    p50_interval: tuple[float, float]
    p90_interval: tuple[float, float]
    samples: list[float] = []


class Latency(_Section, frozen=True, kw_only=True):
    """`model`: the runtime call alone. `end_to_end`: from JPEG bytes to the decision."""

    model: LatencySeries
    end_to_end: LatencySeries
    load_ms: float | None = None
    first_ms: float | None = None


class Memory(_Section, frozen=True, kw_only=True):
    """Peak memory with the way it was measured."""

    rss_peak_delta_bytes: int
    definition: str


class Row(_Section, frozen=True, kw_only=True):
    """One thing that was measured: the teacher, the float student, or an artefact.

    `target`, `backend` and `precision` say what it is; `runtime` says what really ran.
    """

    name: str
    role: Literal["teacher", "student", "artefact"]
    target: str | None = None
    backend: str | None = None
    precision: str | None = None
    params: int | None = None
    macs: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    runtime: dict[str, Any] = {}
    metrics: Metrics | None = None
    vs_teacher: Comparison | None = None
    latency_ms: Latency | None = None
    memory: Memory | None = None
    valid: bool = True
    flags: list[str] = []


class Device(_Section, frozen=True, kw_only=True):
    """The device that the numbers are about."""

    name: str
    kind: str
    emulated: bool = False
    facts: dict[str, Any] = {}


class DataFacts(_Section, frozen=True, kw_only=True):
    """The images that were used: which, how many, and the hash of their list."""

    name: str
    split: str
    n: int
    sha256: str
    classes: list[str] = []


class Result(_Section, frozen=True, kw_only=True):
    """One run of the harness on one device."""

    schema_version: str = SCHEMA_VERSION
    created: str
    command: str
    device: Device
    data: DataFacts
    rows: list[Row]
    host: dict[str, Any] = {}
