"""The result of a measurement, as it is written to JSON (design: one schema, version inside).

A number that was not measured on the named device is null and has a flag that says so.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edgekd.metrics import ClassMetrics, Estimate, Metrics

__all__ = [
    "SCHEMA_VERSION",
    "SPAN_END_TO_END",
    "SPAN_MODEL",
    "SPAN_TENSOR",
    "ClassMetrics",
    "Comparison",
    "DataFacts",
    "Decisions",
    "Device",
    "Energy",
    "Estimate",
    "Flip",
    "Latency",
    "LatencySeries",
    "Memory",
    "Metrics",
    "Minute",
    "Result",
    "Row",
    "Stop",
    "ThreadPoint",
]

SCHEMA_VERSION = "1.4"

SPAN_MODEL = "uint8 pixels on the host to float32 logits on the host"
SPAN_END_TO_END = "encoded photo in memory to the decision"
SPAN_TENSOR = "input tensor to output tensor on the device, random pixels"


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Comparison(_Section, frozen=True, kw_only=True):
    """One row beside the teacher, on the same images and, for speed, the same machine.

    Deltas are row minus teacher; that of the quadratic kappa is there for graded classes alone.
    """

    balanced_accuracy_delta: Estimate | None = None
    quadratic_kappa_delta: Estimate | None = None
    agreement: float | None = None
    flips: int | None = None
    speedup_p50: float | None = None
    size_ratio: float | None = None
    params_ratio: float | None = None


class LatencySeries(_Section, frozen=True, kw_only=True):
    """Milliseconds of single images, one after the other. No sample is ever dropped.

    A program that keeps no samples leaves null what it does not say. `outliers` is how many samples
    lie far above the rest; they are in every other number. `block_medians` are those of five parts
    of the run, one after the other, with what differs between the images taken out: they say
    whether the times moved. Too short a run has none.
    """

    p50: float
    p90: float | None
    p95: float | None
    p99: float | None
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    n: int
    outliers: int | None = None
    p50_interval: tuple[float, float] | None
    p90_interval: tuple[float, float] | None
    block_medians: list[float] = []
    samples: list[float] = []


class Latency(_Section, frozen=True, kw_only=True):
    """`model`: the runtime call alone. `end_to_end`: from JPEG bytes to the decision, or null.

    Two results stand in one picture only where their spans are the same.
    """

    model: LatencySeries
    end_to_end: LatencySeries | None
    model_span: str = SPAN_MODEL
    end_to_end_span: str = SPAN_END_TO_END
    load_ms: float | None = None
    first_ms: float | None = None


class Memory(_Section, frozen=True, kw_only=True):
    """Peak memory with the way it was measured."""

    rss_peak_delta_bytes: int
    definition: str
    rss_peak_bytes: int | None = None


class Energy(_Section, frozen=True, kw_only=True):
    """Energy of an inference by a sensor: (active − idle power) · p50."""

    joules_per_inference: float
    active_watts: float
    idle_watts: float
    sensor: str


class ThreadPoint(_Section, frozen=True, kw_only=True):
    """Milliseconds of the model at another number of threads."""

    threads: int
    p50: float
    p90: float | None
    n: int


class Minute(_Section, frozen=True, kw_only=True):
    """One minute of a sustained run."""

    minute: int
    p50: float
    p90: float
    n: int
    temperatures_c: dict[str, float] = {}


class Decisions(_Section, frozen=True, kw_only=True):
    """What the whole decision does with the images: shares that add up to 1."""

    answered: Estimate
    referred: Estimate
    retaken: Estimate


class Flip(_Section, frozen=True, kw_only=True):
    """An image whose top class differs from the float student's.

    Attributes:
        image: Its name in the data set.
        label: Its class.
        student: Probabilities of the float student, by class.
        artefact: Those of this row.
    """

    image: str
    label: str
    student: dict[str, float]
    artefact: dict[str, float]


class Row(_Section, frozen=True, kw_only=True):
    """One thing that was measured: the teacher, the float student, or an artefact.

    `target`, `backend` and `precision` say what it is; `runtime` says what really ran. `flipped` is
    the number of images whose top class differs from the float student's, `flips` some of them.
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
    energy: Energy | None = None
    sweep: list[ThreadPoint] = []
    sustained: list[Minute] = []
    decisions: Decisions | None = None
    flipped: int | None = None
    flips: list[Flip] = []
    valid: bool = True
    flags: list[str] = []


class Device(_Section, frozen=True, kw_only=True):
    """The device that the numbers are about."""

    name: str
    kind: str
    emulated: bool = False
    facts: dict[str, Any] = {}


class DataFacts(_Section, frozen=True, kw_only=True):
    """The images that were used: which, how many, and the hash of their list.

    `groups` is of how many lesions or patients they are; intervals take those as independent. It is
    null where none are known.
    """

    name: str
    split: str
    n: int
    sha256: str
    classes: list[str] = []
    groups: int | None = None


class Stop(_Section, frozen=True, kw_only=True):
    """What ended a run before everything was measured, and what is said of it."""

    kind: Literal["interrupted", "unreachable", "lacking"]
    message: str


class Result(_Section, frozen=True, kw_only=True):
    """One run of the harness on one device.

    `missing` says what was asked for and not measured, in sentences; the same command goes on
    from there. `stop` is null where the run came to its end.
    """

    schema_version: str = SCHEMA_VERSION
    created: str
    command: str
    device: Device
    data: DataFacts
    rows: list[Row]
    missing: list[str] = []
    stop: Stop | None = None
    host: dict[str, Any] = {}
