"""The result of a measurement as a typed document, and its JSON schema version.

A number that was not measured on the named device is null, and a flag gives the reason.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edgekd.bench.measure.flags import Flag
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.summary import ClassMetrics, Estimate, Metrics

__all__ = [
    "SCHEMA_VERSION",
    "SPAN_END_TO_END",
    "SPAN_MODEL",
    "SPAN_TENSOR",
    "ClassMetrics",
    "DataFacts",
    "Decisions",
    "DeviceFacts",
    "EarlyEnd",
    "Energy",
    "Estimate",
    "Flag",
    "Flip",
    "Latency",
    "LatencySeries",
    "Margin",
    "MarginState",
    "Memory",
    "Metrics",
    "Minute",
    "Missing",
    "PolicyFacts",
    "Result",
    "ResultRow",
    "TeacherComparison",
    "ThreadPoint",
]

SCHEMA_VERSION = "1.5"

SPAN_MODEL = "uint8 pixels on the host to float32 logits on the host"
SPAN_END_TO_END = "encoded photo in memory to the decision"
SPAN_TENSOR = "input tensor to output tensor on the device, random pixels"

MarginState = Literal["not-inferior", "inferior", "not-shown"]
"""Non-inferiority to the teacher: shown, refuted, or not decided by these images."""


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class PolicyFacts(_Section, frozen=True, kw_only=True):
    """The part of a clinical policy that a report needs.

    Attributes:
        name: Name of the policy.
        sha256: Hash of its content.
        critical: Critical classes of the data, in their order.
        first: Classes that reports name before others; upper or lower case is ignored.
        group: What the images of one group share, in the singular: `lesion or patient`.
        groups: The same in the plural.
        metric: Key of the metric that the non-inferiority margin holds for.
        margin: Non-inferiority margin against the teacher, in units of that metric; null where a
            bundle does not record it.
        required: Whether a file that is not shown to keep the margin is refused.
    """

    name: str
    sha256: str
    critical: list[str] = []
    first: list[str] = []
    group: str = "group"
    groups: str = "groups"
    metric: str = "balanced_accuracy"
    margin: float | None = None
    required: bool = False


class Margin(_Section, frozen=True, kw_only=True):
    """Non-inferiority of a row to the teacher, by the paired 95 % interval of the difference.

    Attributes:
        metric: Key of the compared metric; higher is better.
        margin: How much the row may lose, in units of the metric.
        state: `not-inferior`: the whole interval lies above minus the margin. `inferior`: all of
            it lies below. `not-shown`: it contains minus the margin, so these images do not decide.
        policy: Name of the policy that set the margin.
    """

    metric: str
    margin: float
    state: MarginState
    policy: str


class TeacherComparison(_Section, frozen=True, kw_only=True):
    """One row compared with the teacher, on the same images and, for speed, the same machine.

    Attributes:
        balanced_accuracy_delta: Row minus teacher, paired.
        quadratic_kappa_delta: The same of the quadratic kappa; null unless the classes are grades.
        deltas: The same of the task's other metrics, by their key.
        margin: Non-inferiority; null without an interval of its metric.
        agreement: Share of images with the teacher's answer, 0…1.
        flips: Number of images with another answer.
        speedup_p50: The teacher's p50 of the model over the row's.
        size_ratio: The teacher's size over the row's.
        params_ratio: The teacher's number of parameters over the row's.
    """

    balanced_accuracy_delta: Estimate | None = None
    quadratic_kappa_delta: Estimate | None = None
    deltas: dict[str, Estimate] = {}
    margin: Margin | None = None
    agreement: float | None = None
    flips: int | None = None
    speedup_p50: float | None = None
    size_ratio: float | None = None
    params_ratio: float | None = None

    def delta(self, key: str) -> Estimate | None:
        """The difference of the metric with that key; None where it was not compared."""
        named: Estimate | None = getattr(self, f"{key}_delta", None)
        return named if named is not None else self.deltas.get(key)


class LatencySeries(_Section, frozen=True, kw_only=True):
    """Milliseconds of single images, one after the other. No sample is ever dropped.

    Statistics that a program without samples does not report are null. `outliers` counts samples
    far above the rest; every other number includes them. `block_medians` are the medians of five
    consecutive parts of the run, corrected for differences between the images: they show whether
    the times drifted. A run that is too short has none.
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
    """`model`: only the runtime's call. `end_to_end`: from JPEG bytes to the decision, or null.

    Two results share a picture only where their spans are the same.
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
    """Shares of the images by decision; they add up to 1."""

    answered: Estimate
    referred: Estimate
    retaken: Estimate


class Flip(_Section, frozen=True, kw_only=True):
    """An image whose answer differs from the float student's.

    Attributes:
        image: Its name in the data set.
        label: Its label as text.
        student: Scores of the float student by name: calibrated probabilities of a classifier.
        artefact: Scores of this row.
    """

    image: str
    label: str
    student: dict[str, float]
    artefact: dict[str, float]


class ResultRow(_Section, frozen=True, kw_only=True):
    """The teacher, the float student or an artefact, with all of its measurements.

    `target`, `backend` and `precision` describe the file, `runtime` the engine that ran it.
    `flipped` is the number of images whose answer differs from the float student's, `flips` some of
    them. `policy` is that of the bundle; `research` marks a bundle that was built although it is
    below a floor of its policy or not certified, and `below_floors` has a sentence for each cause.
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
    vs_teacher: TeacherComparison | None = None
    latency_ms: Latency | None = None
    memory: Memory | None = None
    energy: Energy | None = None
    sweep: list[ThreadPoint] = []
    sustained: list[Minute] = []
    decisions: Decisions | None = None
    flipped: int | None = None
    flips: list[Flip] = []
    policy: PolicyFacts | None = None
    research: bool = False
    below_floors: list[str] = []
    valid: bool = True
    flags: list[Flag] = []


class DeviceFacts(_Section, frozen=True, kw_only=True):
    """The device that was measured."""

    name: str
    kind: str
    emulated: bool = False
    facts: dict[str, Any] = {}


class DataFacts(_Section, frozen=True, kw_only=True):
    """The images that were used: which, how many, and the hash of their list.

    `classes` names the outputs. `groups` is the number of lesions or patients, which intervals take
    as independent; null where none are known.
    """

    name: str
    split: str
    n: int
    sha256: str
    classes: list[str] = []
    groups: int | None = None


class EarlyEnd(_Section, frozen=True, kw_only=True):
    """Why a run ended before everything was measured.

    `lacking` stands for a package that the device lacks.
    """

    kind: Literal["interrupted", "unreachable", "lacking"]
    message: str


class Missing(_Section, frozen=True, kw_only=True):
    """A number that was requested and not measured; the same command resumes there.

    Attributes:
        row: Name of the row, or of the file; null where it concerns the whole device.
        code: Code of the row's flag, or the kind of `EarlyEnd`.
        detail: The reason.
    """

    row: str | None
    code: str
    detail: str = ""

    def __str__(self) -> str:
        """`row: code: detail`."""
        return ": ".join(part for part in (self.row, self.code, self.detail) if part)


class Result(_Section, frozen=True, kw_only=True):
    """One run of the harness on one device.

    `policy` is the policy of rows whose bundle records none. `missing` lists numbers that were
    requested and not measured. `stop` is null where the run was completed.
    """

    schema_version: str = SCHEMA_VERSION
    created: str
    command: str
    device: DeviceFacts
    data: DataFacts
    rows: list[ResultRow]
    task: str = DEFAULT_TASK
    policy: PolicyFacts | None = None
    missing: list[Missing] = []
    stop: EarlyEnd | None = None
    host: dict[str, Any] = {}
