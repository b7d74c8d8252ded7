"""Speed, memory and energy of one row on its device, each by a fresh process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from edgekd.bench.devices import Device
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure.energy import EnergyAnswer, joules_per_inference
from edgekd.bench.measure.flags import NOT_MEASURED, Flag
from edgekd.bench.measure.job import Answer, Job, Kind, Series
from edgekd.bench.measure.timing import Preset
from edgekd.bench.meter import ClockReading, JobInterval, PowerMeter, metered_energy
from edgekd.bench.result import (
    SPAN_TENSOR,
    Energy,
    Latency,
    LatencySeries,
    Memory,
    Minute,
    ResultRow,
    ThreadPoint,
)
from edgekd.bench.result.statistics import series_of_statistics, summarise
from edgekd.bench.result.validity import session_flags, validity_flags, validity_notes
from edgekd.bench.run.answers import RowAnswers
from edgekd.bench.run.progress import Step
from edgekd.errors import DeviceUnreachableError, EdgekdError

__all__ = ["TimingPlan", "measured_row"]

_NO_SAMPLES = "the measuring process returned no samples"
_SMOKE = Flag("smoke", "the smoke preset was requested")


@dataclass(frozen=True)
class TimingPlan:
    """The measurements that every row gets.

    Attributes:
        preset: How long to measure.
        threads: Threads of the engine.
        images: Paths of encoded images that are cycled through.
        sweep: Further numbers of threads, for times of the model only.
        energy: Whether power is measured.
        meter: The external power meter; None takes the device's own sensor.
        notes: Conditions that hold for every row.
    """

    preset: Preset
    threads: int
    images: Sequence[str]
    sweep: tuple[int, ...] = ()
    energy: bool = False
    meter: PowerMeter | None = None
    notes: tuple[Flag, ...] = ()

    @property
    def passes(self) -> int:
        """Number of fresh processes that a row takes."""
        return 2 + len(self.sweep) + bool(self.preset.minutes) + self.energy


def measured_row(answers: RowAnswers, on: Device, plan: TimingPlan, step: Step) -> ResultRow:
    """The row with its speed, memory and energy on the device.

    Args:
        answers: The row with its answers, or with the reason why there are none.
        on: The device.
        plan: What is measured.
        step: Progress in passes.

    Raises:
        DeviceUnreachableError: The board does not answer any more.
    """
    passes = _Passes(answers, on, plan, step)
    passes.attempt("latency", passes.speed)
    passes.attempt("memory", lambda answer: {"memory": _memory(answer)})
    for threads in plan.sweep:
        passes.attempt("sweep", passes.thread_point, threads)
    if plan.preset.minutes:
        passes.attempt("sustained", lambda answer: {"sustained": _minutes(answer)})
    if plan.energy:
        passes.attempt("energy", passes.energy)
    return passes.row()


@dataclass
class _Passes:
    """The passes of one row, with the numbers and flags that they yield."""

    answers: RowAnswers
    on: Device
    plan: TimingPlan
    step: Step
    numbers: dict[str, Any] = field(default_factory=dict)
    flags: list[Flag] = field(default_factory=list)
    notes: list[Flag] = field(default_factory=list)
    last_job: JobInterval | None = None

    def attempt(
        self, kind: Kind, read: Callable[[Answer], dict[str, Any]], threads: int | None = None
    ) -> None:
        """Run one pass; a failure becomes a flag, a crash of the engine included."""
        try:
            answer = self._run(_job(self.answers, kind, self.plan, threads or self.plan.threads))
            self.numbers.update(read(answer))
        except (WorkerError, EdgekdError) as error:
            if isinstance(error, DeviceUnreachableError) and self.on.kind != "local":
                raise  # the board is gone, and the next pass would wait for it again
            # Unknown power does not invalidate the times.
            flags = self.notes if kind == "energy" else self.flags
            flags.append(Flag(NOT_MEASURED[kind], str(error)))
        self.step(1)

    def _run(self, job: Job) -> Answer:
        before = ClockReading.now()
        answer = self.on.run(job)
        self.last_job = JobInterval(before, ClockReading.now())
        return answer

    def row(self) -> ResultRow:
        smoke = [_SMOKE] if self.plan.preset.name == "smoke" else []
        row = self.answers.row
        flags = [*row.flags, *self.flags, *self.plan.notes, *self.notes, *smoke]
        return msgspec.structs.replace(row, **self.numbers, valid=not self.flags, flags=flags)

    def speed(self, answer: Answer) -> dict[str, Any]:
        latency = self._latency(answer)
        self.flags += answer.flags
        self.notes += answer.notes
        return {"latency_ms": latency, "runtime": self.answers.row.runtime | _facts(answer)}

    def _latency(self, answer: Answer) -> Latency:
        if answer.statistics is not None:
            return Latency(
                model=_model_series(answer),
                end_to_end=None,
                model_span=SPAN_TENSOR,
                load_ms=answer.load_ms,
                first_ms=answer.first_ms,
            )
        if answer.model is None or answer.end_to_end is None:
            raise WorkerError(_NO_SAMPLES)
        self._check_validity(answer, answer.model, answer.end_to_end)
        images = len(self.plan.images)
        return Latency(
            model=summarise(answer.model.samples_ms, images=images),
            end_to_end=summarise(answer.end_to_end.samples_ms, images=images),
            load_ms=answer.load_ms,
            first_ms=answer.first_ms,
        )

    def _check_validity(self, answer: Answer, *both: Series) -> None:
        images = len(self.plan.images)
        for name, series in zip(("model", "end-to-end"), both, strict=True):
            self.flags += validity_flags(
                series.samples_ms,
                self.plan.preset,
                series=name,
                images=images,
                disturbances=series.disturbances,
            )
        self.flags += session_flags(answer.facts)
        self.notes += validity_notes([series.disturbances for series in both], answer.facts)

    def thread_point(self, answer: Answer) -> dict[str, Any]:
        series = _model_series(answer)
        threads = int(answer.facts.get("threads") or 0)
        point = ThreadPoint(threads=threads, p50=series.p50, p90=series.p90, n=series.n)
        return {"sweep": [*self.numbers.get("sweep", []), point]}

    def energy(self, answer: Answer) -> dict[str, Any]:
        speed = self.numbers.get("latency_ms")
        if speed is None:
            raise WorkerError("the speed is not known")
        power, facts = self._power(answer)
        joules = joules_per_inference(power, speed.model.p50)
        if joules is None:
            raise WorkerError("the sensor saw no power drawn by the work")
        return {
            "energy": Energy(
                joules_per_inference=joules,
                active_watts=power.active_watts,
                idle_watts=power.idle_watts,
                sensor=power.sensor,
            ),
            "runtime": self.numbers["runtime"] | facts,
        }

    def _power(self, answer: Answer) -> tuple[EnergyAnswer, dict[str, Any]]:
        """Power while idle and while working, and facts about an external meter's readings."""
        times, meter, job = answer.work_times, self.plan.meter, self.last_job
        if times is not None and meter is not None and job is not None:
            same_clock = self.on.kind == "local"
            metered = metered_energy(meter, times, job, same_clock=same_clock)
            readings, error = list(metered.readings), round(metered.clock_error_s, 3)
            return metered.energy, {"meter_readings": readings, "meter_clock_error_s": error}
        if answer.energy is None:
            raise WorkerError(answer.energy_failure or "the measuring process returned no power")
        return answer.energy, {}


def _job(answers: RowAnswers, kind: Kind, plan: TimingPlan, threads: int) -> Job:
    path = str(answers.path)
    is_bundle = answers.row.role == "artefact"
    return Job(
        kind=kind,
        images=list(plan.images),
        threads=threads,
        preset=plan.preset.name,
        bundle=path if is_bundle else None,
        backend=answers.backend,
        checkpoint=None if is_bundle else path,
        minutes=plan.preset.minutes or None,
        metered=kind == "energy" and plan.meter is not None,
    )


def _model_series(answer: Answer) -> LatencySeries:
    if answer.statistics is not None:
        return series_of_statistics(answer.statistics)
    if answer.model is None:
        raise WorkerError(_NO_SAMPLES)
    return summarise(answer.model.samples_ms)


def _minutes(answer: Answer) -> list[Minute]:
    return [Minute(**msgspec.structs.asdict(minute)) for minute in answer.minutes]


def _memory(answer: Answer) -> Memory:
    memory = answer.memory
    if memory is None:
        raise WorkerError("the measuring process returned no memory")
    return Memory(**msgspec.structs.asdict(memory))


def _facts(answer: Answer) -> dict[str, Any]:
    series = [each for each in (answer.model, answer.end_to_end) if each is not None]
    facts = dict(answer.facts)
    facts["warmup_runs"] = [each.warmup_runs for each in series]
    facts["other_load"] = [
        each.disturbances.other_load if each.disturbances else None for each in series
    ]
    if answer.temperatures_after_c:
        facts["temperatures_before_c"] = answer.temperatures_before_c
        facts["temperatures_after_c"] = answer.temperatures_after_c
    return facts
