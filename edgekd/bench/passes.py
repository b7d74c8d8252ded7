"""Speed and memory of one row on its device: each in a fresh process; a crash of one is a flag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from edgekd.bench.devices import Device
from edgekd.bench.launch import WorkerError
from edgekd.bench.measure.job import Answer, Job, Kind
from edgekd.bench.measure.timing import Preset
from edgekd.bench.result import Latency, Memory, Row
from edgekd.bench.rows import Entry, Step
from edgekd.bench.statistics import summarise
from edgekd.bench.validity import validity_flags
from edgekd.errors import EdgekdError

__all__ = ["measured"]

_SMOKE = "smoke: the smoke preset was asked for"


def measured(
    entry: Entry,
    on: Device,
    *,
    preset: Preset,
    threads: int,
    images: Sequence[str],
    step: Step,
) -> Row:
    """The row with what the device says of its speed and memory.

    Args:
        entry: The row.
        on: The device.
        preset: How long to measure.
        threads: Threads of the engine.
        images: Photos that are cycled through.
        step: Told of each pass.
    """
    changes: dict[str, Any] = {}
    flags: list[str] = []

    def attempt(kind: Kind, take: Callable[[Answer], dict[str, Any]]) -> None:
        try:
            answer = on.run(_job(entry, kind, preset, threads, images))
            changes.update(take(answer))
            if kind == "latency":
                flags.extend(_validity(answer, preset))
        except (WorkerError, EdgekdError) as error:
            flags.append(f"{kind}-not-measured: {error}")
        step(1)

    attempt("latency", lambda answer: _speed(entry.row, answer))
    attempt("memory", lambda answer: {"memory": _memory(answer)})
    note = [_SMOKE] if preset.name == "smoke" else []
    return msgspec.structs.replace(
        entry.row, **changes, valid=not flags, flags=[*entry.row.flags, *flags, *note]
    )


def _job(entry: Entry, kind: Kind, preset: Preset, threads: int, images: Sequence[str]) -> Job:
    path = str(entry.path)
    is_bundle = entry.row.role == "artefact"
    return Job(
        kind=kind,
        images=list(images),
        threads=threads,
        preset=preset.name,
        bundle=path if is_bundle else None,
        backend=entry.backend,
        checkpoint=None if is_bundle else path,
    )


def _speed(row: Row, answer: Answer) -> dict[str, Any]:
    if answer.model is None or answer.end_to_end is None:
        raise WorkerError("the measuring process gave no samples")
    latency = Latency(
        model=summarise(answer.model.samples_ms),
        end_to_end=summarise(answer.end_to_end.samples_ms),
        load_ms=answer.load_ms,
        first_ms=answer.first_ms,
    )
    return {"latency_ms": latency, "runtime": row.runtime | _facts(answer)}


def _validity(answer: Answer, preset: Preset) -> list[str]:
    flags: list[str] = []
    for name, series in (("model", answer.model), ("end-to-end", answer.end_to_end)):
        if series is not None:
            load = series.other_load
            flags += validity_flags(series.samples_ms, preset, series=name, other_load=load)
    return flags


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
    series = (answer.model, answer.end_to_end)
    facts = dict(answer.facts)
    facts["warmup_runs"] = [each.warmup_runs for each in series if each is not None]
    facts["other_load"] = [each.other_load for each in series if each is not None]
    if answer.temperatures_after_c:
        facts["temperatures_before_c"] = answer.temperatures_before_c
        facts["temperatures_after_c"] = answer.temperatures_after_c
    return facts
