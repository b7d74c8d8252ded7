"""The harness: accuracy of every row on the same images, speed and memory on the device."""

from __future__ import annotations

import platform
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from edgekd.bench.accuracy import compare
from edgekd.bench.devices import DeviceAccess, find_device, runs_on
from edgekd.bench.launch import WorkerError, run_job
from edgekd.bench.measure.job import Answer, Job
from edgekd.bench.measure.machine import default_threads, local_facts
from edgekd.bench.measure.timing import Preset, find_preset
from edgekd.bench.request import BenchData, BenchRequest, data_facts
from edgekd.bench.result import Comparison, Device, Latency, Memory, Result, Row
from edgekd.bench.rows import Entry, Step, bundle_entry, checkpoint_entry
from edgekd.bench.statistics import summarise
from edgekd.bench.validity import validity_flags
from edgekd.errors import MissingDependencyError

__all__ = ["BenchData", "BenchRequest", "run_benchmark"]

_TIMED_IMAGES = 32  # cycled through: enough to defeat caches, few enough to hold in memory
_SMOKE = "smoke: the smoke preset was asked for"


def run_benchmark(request: BenchRequest, *, console: Console | None = None) -> Result:
    """Measure teacher, float student and every bundle.

    Args:
        request: What to measure, on what, where.
        console: Where progress goes; None is stderr.

    Returns:
        The result. What was not measured on the device is null with a flag.

    Raises:
        InputError: See `BenchRequest.check`; or a class list differs from the data's.
        ArtefactError: A bundle or checkpoint is damaged.
        MissingDependencyError: PyTorch is missing for the teacher or the student, or no bundle
            has its engine here.
    """
    request.check()
    data = request.data.limited(request.limit)
    facts = data_facts(data)
    access = find_device(request.device)
    device_before = access.facts() if access else {}
    threads = request.threads or default_threads()
    with _progress(console) as progress:
        entries = _host_pass(request, data, threads, progress)
        rows = [
            _measured(entry, request, access, threads, _timed_images(data), progress)
            for entry in entries
        ]
    rows = _unique_names(_compared(rows, entries, data))
    return Result(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=request.command or shlex.join(sys.argv),
        device=_device(request, access, device_before),
        data=facts,
        rows=rows,
        host=local_facts() | {"threads": threads, "preset": request.preset},
    )


def _device(request: BenchRequest, access: DeviceAccess | None, before: dict[str, Any]) -> Device:
    if access is None:
        return Device(name=request.device, kind="not-configured")
    facts = dict(before)
    after = access.facts().get("temperatures_c")
    if after is not None:
        facts["temperatures_after_c"] = after
    return Device(name=request.device, kind=access.kind, facts=facts)


# ---- what the rows are, and their decisions ----


def _host_pass(
    request: BenchRequest, data: BenchData, threads: int, progress: Progress
) -> list[Entry]:
    entries = []
    roles: tuple[tuple[Literal["teacher", "student"], Path | None], ...] = (
        ("teacher", request.teacher),
        ("student", request.student),
    )
    for role, folder in roles:
        if folder is not None:
            with _step(progress, f"accuracy: {role}", len(data.images)) as step:
                entries.append(checkpoint_entry(folder, role, data, step))
    for path in request.bundles:
        with _step(progress, f"accuracy: {path.name}", len(data.images)) as step:
            here = _target_is_here(path, request.device)
            entries.append(bundle_entry(path, data, here=here, threads=threads, step=step))
    _require_an_engine(entries)
    return entries


def _target_is_here(path: Path, device: str) -> bool:
    from edgekd.bundle import Bundle

    with Bundle.open(path, verify=False) as bundle:
        target = bundle.manifest.lowering.target
    return runs_on(target, device)


def _require_an_engine(entries: Sequence[Entry]) -> None:
    """One missing engine among others is a flag; with no engine at all there is no result."""
    missing = [entry.missing for entry in entries if entry.missing is not None]
    artefacts = [entry for entry in entries if entry.row.role == "artefact"]
    if missing and len(missing) == len(artefacts):
        raise missing[0]


# ---- speed and memory ----


def _measured(
    entry: Entry,
    request: BenchRequest,
    access: DeviceAccess | None,
    threads: int,
    images: Sequence[str],
    progress: Progress,
) -> Row:
    """The row with what was measured on the device, or with the flags that say why not."""
    reason = _why_not_measured(entry, request.device, access)
    if reason is not None:
        return _not_measured(entry, reason)
    with _step(progress, f"speed and memory: {entry.row.name}", 2) as step:
        return _on_this_machine(entry, find_preset(request.preset), threads, images, step)


def _why_not_measured(entry: Entry, device: str, access: DeviceAccess | None) -> str | None:
    target = entry.row.target
    if target is not None and target != device and not runs_on(target, device):
        if find_device(target) is None:
            return f"no {target} device is configured"
        return f"it is built for {target}, and this run is about {device}"
    if access is None:
        return f"no {device} device is configured"
    return entry.missing.message if entry.missing is not None else None


def _not_measured(entry: Entry, reason: str) -> Row:
    flags = [f"latency-not-measured: {reason}"]
    if entry.missing is not None:
        flags.append(f"accuracy-not-measured: {entry.missing.message}")
    else:
        engine = entry.row.runtime.get("engine", entry.row.backend)
        flags.append(f"accuracy-from-host: {engine} on {platform.machine()}")
    return msgspec.structs.replace(entry.row, flags=[*entry.row.flags, *flags])


def _on_this_machine(
    entry: Entry, preset: Preset, threads: int, images: Sequence[str], step: Step
) -> Row:
    """Two fresh processes, one for time and one for memory; a crash of one is a flag."""
    changes: dict[str, Any] = {"latency_ms": None, "memory": None}
    flags: list[str] = []
    try:
        answer = run_job(_job(entry, "latency", preset, threads, images))
        changes["latency_ms"] = _latency(answer)
        changes["runtime"] = entry.row.runtime | _facts(answer)
        flags += _validity(answer, preset)
    except (WorkerError, MissingDependencyError) as error:
        flags.append(f"latency-not-measured: {error}")
    step(1)
    try:
        changes["memory"] = _memory(run_job(_job(entry, "memory", preset, threads, images)))
    except (WorkerError, MissingDependencyError) as error:
        flags.append(f"memory-not-measured: {error}")
    step(1)
    note = [_SMOKE] if preset.name == "smoke" else []
    return msgspec.structs.replace(
        entry.row, **changes, valid=not flags, flags=[*entry.row.flags, *flags, *note]
    )


def _job(
    entry: Entry,
    kind: Literal["latency", "memory"],
    preset: Preset,
    threads: int,
    images: Sequence[str],
) -> Job:
    path = str(entry.path)
    is_bundle = entry.row.role == "artefact"
    return Job(
        kind=kind,
        output="",
        images=list(images),
        threads=threads,
        preset=preset.name,
        bundle=path if is_bundle else None,
        backend=entry.backend,
        checkpoint=None if is_bundle else path,
    )


def _latency(answer: Answer) -> Latency:
    if answer.model is None or answer.end_to_end is None:
        raise WorkerError("the measuring process gave no samples")
    return Latency(
        model=summarise(answer.model.samples_ms),
        end_to_end=summarise(answer.end_to_end.samples_ms),
        load_ms=answer.load_ms,
        first_ms=answer.first_ms,
    )


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
    return Memory(rss_peak_delta_bytes=found.rss_peak_delta_bytes, definition=found.definition)


def _facts(answer: Answer) -> dict[str, Any]:
    series = (answer.model, answer.end_to_end)
    facts = dict(answer.facts)
    facts["warmup_runs"] = [each.warmup_runs for each in series if each is not None]
    facts["other_load"] = [each.other_load for each in series if each is not None]
    if answer.temperatures_after_c:
        facts["temperatures_before_c"] = answer.temperatures_before_c
        facts["temperatures_after_c"] = answer.temperatures_after_c
    return facts


def _timed_images(data: BenchData) -> list[str]:
    paths = data.paths
    count = min(_TIMED_IMAGES, len(paths))
    return [str(paths[index * len(paths) // count].resolve()) for index in range(count)]


# ---- beside the teacher ----


def _compared(rows: Sequence[Row], entries: Sequence[Entry], data: BenchData) -> list[Row]:
    teacher = next((index for index, row in enumerate(rows) if row.role == "teacher"), None)
    if teacher is None:
        return list(rows)
    pairs = zip(rows, entries, strict=True)
    return [
        row
        if row.role == "teacher"
        else msgspec.structs.replace(
            row, vs_teacher=_versus(rows[teacher], entries[teacher], row, entry, data)
        )
        for row, entry in pairs
    ]


def _versus(
    teacher: Row, teacher_entry: Entry, row: Row, entry: Entry, data: BenchData
) -> Comparison:
    comparison = Comparison()
    if teacher_entry.logits is not None and entry.logits is not None:
        comparison = compare(teacher_entry.logits, entry.logits, data.labels)
    return msgspec.structs.replace(
        comparison,
        speedup_p50=_ratio(_p50(teacher), _p50(row)),
        size_ratio=_ratio(teacher.size_bytes, row.size_bytes),
        params_ratio=_ratio(teacher.params, row.params),
    )


def _p50(row: Row) -> float | None:
    return row.latency_ms.model.p50 if row.latency_ms is not None else None


def _ratio(teacher: float | None, row: float | None) -> float | None:
    return teacher / row if teacher is not None and row else None


def _unique_names(rows: Sequence[Row]) -> list[Row]:
    """Rows of one name get a number: the report tells them apart by it."""
    counts = Counter(row.name for row in rows)
    seen: Counter[str] = Counter()
    named = []
    for row in rows:
        seen[row.name] += 1
        suffix = f" ({seen[row.name]})" if counts[row.name] > 1 else ""
        named.append(msgspec.structs.replace(row, name=row.name + suffix))
    return named


# ---- progress ----


def _progress(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        console=console or Console(stderr=True),
        transient=True,
    )


@contextmanager
def _step(progress: Progress, words: str, total: int) -> Iterator[Step]:
    task = progress.add_task(words, total=total)
    yield lambda count: progress.advance(task, count)
    progress.remove_task(task)
