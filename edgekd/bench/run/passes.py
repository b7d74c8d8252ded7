"""Speed, memory and energy of one row on its device: a fresh process each; a crash is a flag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edgekd.bench.devices import Device
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure.energy import EnergyAnswer, joules_per_inference
from edgekd.bench.measure.job import Answer, Job, Kind, Series
from edgekd.bench.measure.timing import Preset
from edgekd.bench.meter import Asked, Moment, PowerMeter, metered_energy
from edgekd.bench.result import (
    SPAN_TENSOR,
    Energy,
    Latency,
    LatencySeries,
    Memory,
    Minute,
    Row,
    ThreadPoint,
)
from edgekd.bench.result.statistics import as_told, summarise
from edgekd.bench.result.validity import session_flags, validity_flags, validity_notes
from edgekd.bench.run.answers import Entry, Step
from edgekd.errors import DeviceUnreachableError, EdgekdError

__all__ = ["Plan", "measured"]

_NO_SAMPLES = "the measuring process gave no samples"
_SMOKE = "smoke: the smoke preset was asked for"


@dataclass(frozen=True)
class Plan:
    """What is measured of every row.

    Attributes:
        preset: How long to measure.
        threads: Threads of the engine.
        sweep: Further numbers of threads for the model alone.
        energy: Whether power is measured.
        meter: The meter outside that tells power; None takes the device's own sensor.
        images: Photos that are cycled through.
        notes: What is to be known of every row.
    """

    preset: Preset
    threads: int
    images: Sequence[str]
    sweep: tuple[int, ...] = ()
    energy: bool = False
    meter: PowerMeter | None = None
    notes: tuple[str, ...] = ()

    @property
    def passes(self) -> int:
        """How many fresh processes a row takes."""
        return 2 + len(self.sweep) + bool(self.preset.minutes) + self.energy


def measured(entry: Entry, on: Device, plan: Plan, step: Step) -> Row:
    """The row with what the device says of its speed, memory and energy.

    Args:
        entry: The row.
        on: The device.
        plan: What is measured.
        step: Told of each pass.

    Raises:
        DeviceUnreachableError: The board does not answer any more.
    """
    passes = _Passes(entry, on, plan, step)
    passes.attempt("latency", passes.speed)
    passes.attempt("memory", lambda answer: {"memory": _memory(answer)})
    for threads in plan.sweep:
        passes.attempt("sweep", passes.point, threads)
    if plan.preset.minutes:
        passes.attempt("sustained", lambda answer: {"sustained": _minutes(answer)})
    if plan.energy:
        passes.attempt("energy", passes.energy)
    return passes.row()


class _Passes:
    """The passes of one row, with the flags that they raise."""

    def __init__(self, entry: Entry, on: Device, plan: Plan, step: Step) -> None:
        self.entry, self.on, self.plan, self.step = entry, on, plan, step
        self.changes: dict[str, Any] = {}
        self.flags: list[str] = []
        self.notes: list[str] = list(plan.notes)
        self.asked: Asked | None = None

    def attempt(
        self, kind: Kind, take: Callable[[Answer], dict[str, Any]], threads: int | None = None
    ) -> None:
        try:
            answer = self._ask(_job(self.entry, kind, self.plan, threads or self.plan.threads))
            self.changes.update(take(answer))
        except (WorkerError, EdgekdError) as error:
            if isinstance(error, DeviceUnreachableError) and self.on.kind != "local":
                raise  # the board is gone, and the next pass would wait for it again
            # Power that is not known says nothing against times that are.
            told = self.notes if kind == "energy" else self.flags
            told.append(f"{kind}-not-measured: {error}")
        self.step(1)

    def _ask(self, job: Job) -> Answer:
        before = Moment.now()
        answer = self.on.run(job)
        self.asked = Asked(before, Moment.now())
        return answer

    def row(self) -> Row:
        note = [_SMOKE] if self.plan.preset.name == "smoke" else []
        row, flags = self.entry.row, self.flags
        return msgspec.structs.replace(
            row, **self.changes, valid=not flags, flags=[*row.flags, *flags, *self.notes, *note]
        )

    def speed(self, answer: Answer) -> dict[str, Any]:
        latency = self._told(answer) if answer.told is not None else self._sampled(answer)
        self.flags += answer.flags
        self.notes += answer.notes
        return {"latency_ms": latency, "runtime": self.entry.row.runtime | _facts(answer)}

    def _sampled(self, answer: Answer) -> Latency:
        if answer.model is None or answer.end_to_end is None:
            raise WorkerError(_NO_SAMPLES)
        self._judge(answer, answer.model, answer.end_to_end)
        images = len(self.plan.images)
        return Latency(
            model=summarise(answer.model.samples_ms, images=images),
            end_to_end=summarise(answer.end_to_end.samples_ms, images=images),
            load_ms=answer.load_ms,
            first_ms=answer.first_ms,
        )

    def _told(self, answer: Answer) -> Latency:
        return Latency(
            model=_model_series(answer),
            end_to_end=None,
            model_span=SPAN_TENSOR,
            load_ms=answer.load_ms,
            first_ms=answer.first_ms,
        )

    def _judge(self, answer: Answer, *both: Series) -> None:
        images = len(self.plan.images)
        for name, series in zip(("model", "end-to-end"), both, strict=True):
            self.flags += validity_flags(
                series.samples_ms, self.plan.preset, series=name, images=images, watch=series.watch
            )
        self.flags += session_flags(answer.facts)
        self.notes += validity_notes([series.watch for series in both], answer.facts)

    def point(self, answer: Answer) -> dict[str, Any]:
        found = _model_series(answer)
        threads = int(answer.facts.get("threads") or 0)
        point = ThreadPoint(threads=threads, p50=found.p50, p90=found.p90, n=found.n)
        return {"sweep": [*self.changes.get("sweep", []), point]}

    def energy(self, answer: Answer) -> dict[str, Any]:
        speed = self.changes.get("latency_ms")
        if speed is None:
            raise WorkerError("the speed is not known")
        found, told = self._power(answer)
        joules = joules_per_inference(found, speed.model.p50)
        if joules is None:
            raise WorkerError("the sensor saw no power drawn by the work")
        return {
            "energy": Energy(
                joules_per_inference=joules,
                active_watts=found.active_watts,
                idle_watts=found.idle_watts,
                sensor=found.sensor,
            ),
            "runtime": self.changes["runtime"] | told,
        }

    def _power(self, answer: Answer) -> tuple[EnergyAnswer, dict[str, Any]]:
        """Of both parts, and what is to be known of how it was taken."""
        times, meter, asked = answer.work_times, self.plan.meter, self.asked
        if times is not None and meter is not None and asked is not None:
            same_clock = self.on.kind == "local"
            seen = metered_energy(meter, times, asked, same_clock=same_clock)
            readings, error = list(seen.readings), round(seen.clock_error_s, 3)
            return seen.energy, {"meter_readings": readings, "meter_clock_error_s": error}
        if answer.energy is None:
            raise WorkerError(answer.no_energy or "the measuring process gave no power")
        return answer.energy, {}


def _job(entry: Entry, kind: Kind, plan: Plan, threads: int) -> Job:
    path = str(entry.path)
    is_bundle = entry.row.role == "artefact"
    return Job(
        kind=kind,
        images=list(plan.images),
        threads=threads,
        preset=plan.preset.name,
        bundle=path if is_bundle else None,
        backend=entry.backend,
        checkpoint=None if is_bundle else path,
        minutes=plan.preset.minutes or None,
        metered=kind == "energy" and plan.meter is not None,
    )


def _model_series(answer: Answer) -> LatencySeries:
    if answer.told is not None:
        return as_told(answer.told)
    if answer.model is None:
        raise WorkerError(_NO_SAMPLES)
    return summarise(answer.model.samples_ms)


def _minutes(answer: Answer) -> list[Minute]:
    return [Minute(**msgspec.structs.asdict(minute)) for minute in answer.minutes]


def _memory(answer: Answer) -> Memory:
    found = answer.memory
    if found is None:
        raise WorkerError("the measuring process gave no memory")
    return Memory(
        rss_peak_delta_bytes=found.rss_peak_delta_bytes,
        definition=found.definition,
        rss_peak_bytes=found.rss_peak_bytes,
    )


def _facts(answer: Answer) -> dict[str, Any]:
    series = [each for each in (answer.model, answer.end_to_end) if each is not None]
    facts = dict(answer.facts)
    facts["warmup_runs"] = [each.warmup_runs for each in series]
    facts["other_load"] = [each.watch.other_load if each.watch else None for each in series]
    if answer.temperatures_after_c:
        facts["temperatures_before_c"] = answer.temperatures_before_c
        facts["temperatures_after_c"] = answer.temperatures_after_c
    return facts
