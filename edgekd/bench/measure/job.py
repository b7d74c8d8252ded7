"""What the parent asks of a measuring process, and what that answers: two small JSON files."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edgekd.bench.measure.energy import EnergyAnswer, WorkTimes
from edgekd.bench.measure.sustained import MinuteSample
from edgekd.bench.measure.watch import Disturbances
from edgekd.errors import EdgekdError

__all__ = [
    "Answer",
    "Failure",
    "Job",
    "Kind",
    "MemoryAnswer",
    "RunStatistics",
    "Seen",
    "Series",
    "failure_of",
]

Kind = Literal["facts", "accuracy", "latency", "memory", "sweep", "sustained", "energy"]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Job(_Section, frozen=True, kw_only=True):
    """One thing to measure in one fresh process.

    Attributes:
        kind: What to find out. Memory is a pass of its own, since timing keeps samples.
        output: Where the answer goes; nothing where the job came by stdin and the answer goes to
            stdout.
        images: Encoded images, cycled through.
        threads: Threads of the engine.
        preset: Name of the preset.
        bundle: The bundle to open, or null.
        backend: Engine to use instead of the bundle's own, or null.
        checkpoint: The checkpoint folder to open with PyTorch, or null.
        minutes: Length of a sustained run; null takes the preset's.
        metered: Whether a meter outside tells the power, so that only times are wanted.
    """

    kind: Kind
    output: str = ""
    images: list[str] = []
    threads: int = 1
    preset: str = "quick"
    bundle: str | None = None
    backend: str | None = None
    checkpoint: str | None = None
    minutes: int | None = None
    metered: bool = False


class Series(_Section, frozen=True, kw_only=True):
    """One series as it was taken."""

    samples_ms: list[float]
    warmup_runs: int
    watch: Disturbances | None = None


class RunStatistics(_Section, frozen=True, kw_only=True):
    """What a program that keeps no samples says of a series. What it does not say is None.

    Attributes:
        n: Runs.
        first_ms: The first of them.
        mean_ms: Their mean.
        std_ms: Their standard deviation, of the population.
        min_ms: The fastest.
        max_ms: The slowest.
        p5_ms: 5th percentile.
        p50_ms: Median.
        p95_ms: 95th percentile.
    """

    n: int
    first_ms: float | None = None
    mean_ms: float | None = None
    std_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    p5_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None


class Seen(_Section, frozen=True, kw_only=True):
    """What a bundle said of one image."""

    logits: list[float]
    label: str
    decision: str
    reasons: list[str] = []


class MemoryAnswer(_Section, frozen=True, kw_only=True):
    """Peak memory with its definition."""

    rss_peak_delta_bytes: int
    definition: str
    rss_peak_bytes: int | None = None


class Failure(_Section, frozen=True, kw_only=True):
    """An error that edgekd raised on purpose, by its class name."""

    kind: str
    message: str
    hint: str


class Answer(_Section, frozen=True, kw_only=True):
    """What the measuring process found; `failure` alone where it could not.

    Attributes:
        told: In the place of `model`, what a program without samples says of its runs.
        work_times: In the place of `energy`, where a meter outside tells the power.
        flags: Why its times should not be trusted, as `code: words`, as far as only it can know.
        notes: What else is to be known of them, likewise.
    """

    failure: Failure | None = None
    machine: dict[str, Any] = {}
    seen: list[Seen] = []
    facts: dict[str, Any] = {}
    load_ms: float | None = None
    first_ms: float | None = None
    model: Series | None = None
    end_to_end: Series | None = None
    told: RunStatistics | None = None
    memory: MemoryAnswer | None = None
    minutes: list[MinuteSample] = []
    energy: EnergyAnswer | None = None
    no_energy: str = ""
    work_times: WorkTimes | None = None
    temperatures_before_c: dict[str, float] = {}
    temperatures_after_c: dict[str, float] = {}
    flags: list[str] = []
    notes: list[str] = []


def failure_of(error: EdgekdError) -> Failure:
    """The error under the nearest class that `edgekd.errors` has: the other side knows those."""
    known = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "edgekd.errors")
    return Failure(kind=next(known), message=error.message, hint=error.hint)
