"""The harness: accuracy of every row on the same images, speed and memory on the device."""

from __future__ import annotations

import platform
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from edgekd.bench import result as results
from edgekd.bench.compare.beside import beside_student, beside_teacher
from edgekd.bench.devices import Device, find_device, runs_on
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.machine import default_threads, local_facts
from edgekd.bench.measure.timing import find_preset
from edgekd.bench.meter import PowerMeter
from edgekd.bench.result import Result, Row
from edgekd.bench.run.answers import (
    Entry,
    RunInterruptedError,
    Step,
    bundle_entry,
    checkpoint_entry,
    unanswered,
)
from edgekd.bench.run.journal import CachedDevice, Journal
from edgekd.bench.run.passes import Plan, measured
from edgekd.bench.run.request import BenchRequest
from edgekd.bench.run.threads import threads_on, within_cores
from edgekd.bench.subjects.data import BenchData, data_facts
from edgekd.bundle import Bundle
from edgekd.errors import (
    ArtefactError,
    DeviceUnreachableError,
    EdgekdError,
    MissingDependencyError,
)

__all__ = ["BenchData", "BenchRequest", "run_benchmark"]

_INTERRUPTED = "the run was interrupted"
_NOT_TIMED = "latency-not-measured"
_TIMED_IMAGES = 32  # cycled through: enough to defeat caches, few enough to hold in memory


def run_benchmark(request: BenchRequest, *, console: Console | None = None) -> Result:
    """Measure teacher, float student and every bundle.

    Args:
        request: What to measure, on what, where.
        console: Where progress goes; None is stderr.

    Returns:
        The result. What was not measured on the device is null with a flag; what was asked for
        and could not be had stands in `missing`, also after Ctrl-C.

    Raises:
        InputError: See `BenchRequest.check`; or a class list differs from the data's.
        ArtefactError: A bundle or checkpoint is damaged.
        MissingDependencyError: PyTorch is missing for the teacher or the student, or no bundle
            has its engine here.
    """
    request.check()
    run = _Run(request, console)
    try:
        return run.result()
    finally:
        run.close()


class _Run:
    """One run of the harness, from the device's facts to the compared rows."""

    def __init__(self, request: BenchRequest, console: Console | None) -> None:
        self.request = request
        self.data = request.data.limited(request.limit)
        self.journal = Journal.beside(request.out)
        self.host = CachedDevice(LocalDevice("host"), self.journal)
        found = find_device(request.device, wheelhouse=request.wheelhouse)
        self.device = CachedDevice(found, self.journal) if found is not None else None
        self.lost: EdgekdError | None = None
        self.stop: results.Stop | None = None
        self.missing: list[str] = []
        self.progress = _progress(console)
        self.plan = Plan(
            preset=find_preset(request.preset, request.minutes),
            threads=request.threads or default_threads(),
            images=_timed_images(self.data),
            sweep=request.sweep,
            meter=None if request.meter is None else PowerMeter(request.meter),
        )

    @property
    def interrupted(self) -> bool:
        return self.stop is not None and self.stop.kind == "interrupted"

    def _interrupt(self, what: str) -> None:
        """The user ended the run, in the midst of this."""
        message = f"{what}: {_INTERRUPTED}"
        self.stop = self.stop or results.Stop(kind="interrupted", message=message)

    def close(self) -> None:
        if self.device is not None:
            self.device.close()

    def result(self) -> Result:
        facts = data_facts(self.data)
        before: dict[str, Any] = {}
        with self.progress:
            if self.device is not None:
                before = self._reach(self.device)
            entries = self._entries()
            rows = [self._measured(entry) for entry in entries]
        rows = beside_teacher(_unique_names(rows), entries, self.data)
        rows = beside_student(rows, entries, self.data)
        found = Result(
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            command=self.request.command or shlex.join(sys.argv),
            device=self._described(before),
            data=facts,
            rows=rows,
            missing=list(dict.fromkeys(self.missing)),
            stop=self.stop,
            host=local_facts() | {"threads": self.plan.threads, "preset": self.request.preset},
        )
        if not found.missing:
            self.journal.forget()
        return found

    def _reach(self, device: Device) -> dict[str, Any]:
        """The device's facts before, with everything brought there that the jobs will name."""
        try:
            facts = device.facts()
            bundles = [path for path in self.request.bundles if self._at_home(path)]
            with self._step(f"preparing {device.name}", 1) as step:
                device.prepare(bundles, self.data.paths, self.progress.console.print)
                step(1)
        except (DeviceUnreachableError, MissingDependencyError) as error:
            self._lose(error)
            return {}
        except KeyboardInterrupt:
            self._interrupt(device.name)
            self.missing.append(f"{device.name}: {_INTERRUPTED} before anything was measured")
            return {}
        threads = self.request.threads or threads_on(facts)
        asked = (threads, *self.request.sweep)
        (first, *others), notes = within_cores(asked, facts.get("cores_usable"))
        self.plan = replace(
            self.plan,
            threads=first,
            sweep=tuple(others),
            energy="power_sensor" in facts or self.plan.meter is not None,
            notes=tuple(notes),
        )
        return facts

    def _lose(self, error: DeviceUnreachableError | MissingDependencyError) -> None:
        self.lost = error
        silent = isinstance(error, DeviceUnreachableError)
        why = "does not answer" if silent else "lacks something"
        message = f"{self.request.device} {why}: {error.message}"
        self.stop = results.Stop(kind="unreachable" if silent else "lacking", message=message)
        self.missing.append(message)

    def _described(self, before: dict[str, Any]) -> results.Device:
        device = self.device
        if device is None:
            return results.Device(name=self.request.device, kind="not-configured")
        facts = dict(before)
        if self.lost is None and not self.interrupted:
            with suppress(DeviceUnreachableError):  # all that counts was measured
                after = device.facts().get("temperatures_c")
                facts |= {"temperatures_after_c": after} if after is not None else {}
        return results.Device(
            name=device.name,
            kind=device.kind,
            emulated=bool(facts) and self.lost is None and device.emulated,
            facts=facts,
        )

    # ---- what the rows are, and their decisions ----

    def _entries(self) -> list[Entry]:
        request, entries = self.request, []
        roles: tuple[tuple[Literal["teacher", "student"], Path | None], ...] = (
            ("teacher", request.teacher),
            ("student", request.student),
        )
        for role, folder in roles:
            if folder is not None:
                entries += self._unless_interrupted(partial(self._checkpoint, folder, role), role)
        for path in request.bundles:
            made = self._unless_interrupted(partial(self._bundle, path), path.name)
            entries += made or [unanswered(path, RunInterruptedError(_INTERRUPTED))]
        _require_an_engine(entries)
        return entries

    def _unless_interrupted(self, make: Callable[[], Entry], name: str) -> list[Entry]:
        """The entry; none once the user has pressed Ctrl-C."""
        if not self.interrupted:
            try:
                return [make()]
            except KeyboardInterrupt:
                self._interrupt(name)
        self.missing.append(f"{name}: accuracy-not-measured: {_INTERRUPTED}")
        return []

    def _checkpoint(self, folder: Path, role: Literal["teacher", "student"]) -> Entry:
        with self._step(f"accuracy: {role}", len(self.data.images)) as step:
            return checkpoint_entry(folder, role, self.data, step)

    def _bundle(self, path: Path) -> Entry:
        at_home = self._at_home(path)
        if at_home and self.device is not None and self.device.decides and self.lost is None:
            try:
                return self._answers(path, self.device, at_home=True)
            except DeviceUnreachableError as error:
                self._lose(error)
            except (WorkerError, ArtefactError) as error:  # of this file on this device
                failure = ArtefactError(f"{path.name} on {self.device.name}: {error}")
                self.missing.append(f"{path.name}: accuracy-not-measured: {error}")
                return unanswered(path, failure)
        return self._answers(path, self.host, at_home=False)

    def _answers(self, path: Path, on: Device, *, at_home: bool) -> Entry:
        threads = self.plan.threads if at_home else default_threads()
        with self._step(f"accuracy: {path.name}", len(self.data.images)) as step:
            return bundle_entry(path, self.data, on=on, at_home=at_home, threads=threads, step=step)

    def _at_home(self, path: Path) -> bool:
        """Whether the device is one that the bundle is for."""
        with Bundle.open(path, verify=False) as bundle:
            target = bundle.manifest.lowering.target
        return runs_on(target, self.device)

    # ---- speed and memory ----

    def _measured(self, entry: Entry) -> Row:
        """The row with what was measured on the device, or with the flags that say why not."""
        why = self._why_not(entry)
        if self.interrupted and why is None:
            why = _NOT_TIMED, _INTERRUPTED
            self.missing.append(f"{entry.row.name}: {_NOT_TIMED}: {_INTERRUPTED}")
        if why is not None or self.device is None:
            return _not_measured(entry, *(why or (_NOT_TIMED, "")))
        try:
            with self._step(f"speed and memory: {entry.row.name}", self.plan.passes) as step:
                row = measured(entry, self.device, self.plan, step)
            if not self.device.decides and entry.missing is None:
                row = msgspec.structs.replace(row, flags=[*row.flags, _from_host(entry)])
        except KeyboardInterrupt:
            self._interrupt(entry.row.name)
            row = _not_measured(entry, _NOT_TIMED, _INTERRUPTED)
        except DeviceUnreachableError as error:
            self._lose(error)
            row = _not_measured(entry, _NOT_TIMED, error.message)
        lacking = [flag for flag in row.flags if _code_of(flag).endswith("-not-measured")]
        if self.plan.meter is None:  # energy was not asked for where the device has no sensor
            lacking = [flag for flag in lacking if not flag.startswith("energy-")]
        self.missing += [f"{row.name}: {flag}" for flag in lacking]
        return row

    def _why_not(self, entry: Entry) -> tuple[str, str] | None:
        """The flag of a row that is not measured, with its reason; None for one that can be."""
        name, device, reason = self.request.device, self.device, self._why_not_here(entry)
        if reason is not None or device is None:
            return _NOT_TIMED, reason or ""
        if self.lost is not None:
            return _NOT_TIMED, self.lost.message
        if device.emulated:
            words = f"{name} is emulated, and a processor that is imitated has no speed of its own"
            return "emulated", words
        if device.kind != "local" and entry.row.role != "artefact":
            return _NOT_TIMED, f"it runs on the host, and this run is about {name}"
        return None if entry.missing is None else (_NOT_TIMED, entry.missing.message)

    def _why_not_here(self, entry: Entry) -> str | None:
        """Why the row is none of this device's; None where it is."""
        name, target, device = self.request.device, entry.row.target, self.device
        if target is not None and target != name and not runs_on(target, device):
            if find_device(target) is None:
                return f"no {target} device is configured"
            return f"it is built for {target}, and this run is about {name}"
        return f"no {name} device is configured" if device is None else None

    @contextmanager
    def _step(self, words: str, total: int) -> Iterator[Step]:
        task = self.progress.add_task(words, total=total)
        yield lambda count: self.progress.advance(task, count)
        self.progress.remove_task(task)


def _require_an_engine(entries: Sequence[Entry]) -> None:
    """One missing engine among others is a flag; with no engine at all there is no result."""
    missing = [
        entry.missing for entry in entries if isinstance(entry.missing, MissingDependencyError)
    ]
    artefacts = [entry for entry in entries if entry.row.role == "artefact"]
    if missing and len(missing) == len(artefacts):
        raise missing[0]


def _code_of(flag: str) -> str:
    return flag.partition(": ")[0]


def _not_measured(entry: Entry, code: str, reason: str) -> Row:
    flags = [f"{code}: {reason}"]
    if entry.missing is not None:
        flags.append(f"accuracy-not-measured: {entry.missing.message}")
    elif entry.device is None:
        flags.append(_from_host(entry))
    return msgspec.structs.replace(entry.row, flags=[*entry.row.flags, *flags])


def _from_host(entry: Entry) -> str:
    engine = entry.row.runtime.get("engine", entry.row.backend)
    return f"accuracy-from-host: {engine} on {platform.machine()}"


def _timed_images(data: BenchData) -> list[str]:
    chosen = np.linspace(0, len(data.paths) - 1, min(_TIMED_IMAGES, len(data.paths)))
    return [str(data.paths[int(index)].resolve()) for index in chosen]


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


def _progress(console: Console | None) -> Progress:
    console = console or Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,  # what is transient leaves an empty line in a log
    )
