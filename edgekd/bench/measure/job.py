"""Messages between the harness and a measuring process: a job, and the answer to it, as JSON."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edgekd.bench.measure.disturbances import Disturbances
from edgekd.bench.measure.energy import EnergyAnswer, WorkTimes
from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.sustained import MinuteSample
from edgekd.errors import EdgekdError

__all__ = [
    "Answer",
    "Failure",
    "ImageAnswer",
    "Job",
    "Kind",
    "MemoryAnswer",
    "RunStatistics",
    "Series",
    "failure_of",
]

Kind = Literal["facts", "accuracy", "latency", "memory", "sweep", "sustained", "energy"]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Job(_Section, frozen=True, kw_only=True):
    """One thing to measure in one fresh process.

    Attributes:
        kind: What to measure. Memory is a pass of its own, since timing keeps samples.
        output: File for the answer; empty where the job is read from stdin and the answer written
            to stdout.
        images: Paths of encoded images, cycled through.
        threads: Threads of the engine.
        preset: Name of the preset.
        bundle: The bundle to open, or null.
        backend: Engine to use instead of the bundle's own, or null.
        checkpoint: The checkpoint folder to open with PyTorch, or null.
        minutes: Length of a sustained run; null takes the preset's.
        metered: Whether an external meter measures the power, so that the process only
            reports times.
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
    """One series of times.

    Attributes:
        samples_ms: Milliseconds of each run, in the order in which they were taken.
        warmup_runs: Number of runs before the first sample.
        disturbances: Disturbances during the series; null where they were not recorded.
    """

    samples_ms: list[float]
    warmup_runs: int
    disturbances: Disturbances | None = None


class RunStatistics(_Section, frozen=True, kw_only=True):
    """Statistics of a program that keeps no samples; null where it does not report one.

    Attributes:
        n: Number of runs.
        first_ms: Time of the first run.
        mean_ms: Mean.
        std_ms: Standard deviation, of the population.
        min_ms: Time of the fastest run.
        max_ms: Time of the slowest run.
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


class ImageAnswer(_Section, frozen=True, kw_only=True):
    """A bundle's answer to one image.

    Attributes:
        outputs: The raw output of the network, flattened; logits of a classifier.
        label: The answer as one text.
        decision: `answer`, `refer` or `retake`.
        reasons: Codes of the reasons why it is not an answer.
    """

    outputs: list[float]
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
    """The answer of a measuring process; only `failure` where it failed.

    Attributes:
        failure: The error that ended the job, or null.
        machine: Facts of the machine, for `facts`.
        image_answers: Answer to each image, for `accuracy`.
        facts: Facts of the session: engine, threads, precision, accelerator.
        load_ms: Milliseconds from the file to a session that is ready.
        first_ms: Milliseconds of the first image after loading.
        model: Times of the model only.
        end_to_end: Times from the encoded image to the decision.
        statistics: Replaces `model` where a program keeps no samples.
        memory: Peak memory.
        minutes: One entry for each minute of a sustained run.
        energy: Power while idle and while working.
        energy_failure: Why `energy` is null, where the machine has no usable sensor.
        work_times: Replaces `energy` where an external meter measures the power.
        temperatures_before_c: Degrees Celsius by sensor, before timing.
        temperatures_after_c: Degrees Celsius by sensor, after timing.
        flags: Conditions that invalidate the times and that only this process can know.
        notes: Conditions under which the times hold and that only this process can know.
    """

    failure: Failure | None = None
    machine: dict[str, Any] = {}
    image_answers: list[ImageAnswer] = []
    facts: dict[str, Any] = {}
    load_ms: float | None = None
    first_ms: float | None = None
    model: Series | None = None
    end_to_end: Series | None = None
    statistics: RunStatistics | None = None
    memory: MemoryAnswer | None = None
    minutes: list[MinuteSample] = []
    energy: EnergyAnswer | None = None
    energy_failure: str = ""
    work_times: WorkTimes | None = None
    temperatures_before_c: dict[str, float] = {}
    temperatures_after_c: dict[str, float] = {}
    flags: list[Flag] = []
    notes: list[Flag] = []


def failure_of(error: EdgekdError) -> Failure:
    """The error under the nearest class of `edgekd.errors`, which the other side can raise."""
    known = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "edgekd.errors")
    return Failure(kind=next(known), message=error.message, hint=error.hint)
