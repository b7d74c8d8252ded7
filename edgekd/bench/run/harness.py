"""The harness: answers of every row on the same images, speed and memory on the device."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import msgspec
import numpy as np
from rich.console import Console

from edgekd.bench.compare.student import with_flips
from edgekd.bench.compare.teacher import with_teacher
from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.machine import default_threads, local_facts
from edgekd.bench.measure.timing import find_preset
from edgekd.bench.meter import PowerMeter
from edgekd.bench.result import Result, ResultRow
from edgekd.bench.run.accuracy import AccuracyStage
from edgekd.bench.run.answers import RowAnswers
from edgekd.bench.run.journal import CachedDevice, Journal
from edgekd.bench.run.log import RunLog
from edgekd.bench.run.passes import TimingPlan
from edgekd.bench.run.progress import RunProgress
from edgekd.bench.run.reach import DeviceLink
from edgekd.bench.run.request import BenchRequest
from edgekd.bench.run.speed import TimingStage
from edgekd.bench.run.threads import threads_on, within_cores
from edgekd.bench.subjects.data import BenchData, data_facts
from edgekd.bench.subjects.policy import policy_facts

__all__ = ["run_benchmark"]

_TIMED_IMAGES = 32  # cycled through: enough to defeat caches, few enough to hold in memory


def run_benchmark(request: BenchRequest, *, console: Console | None = None) -> Result:
    """Measure teacher, float student and every bundle.

    Args:
        request: What to measure, on which images and device.
        console: Where progress goes; None is stderr.

    Returns:
        The result. A number that was not measured on the device is null and has a flag; numbers
        that were requested and could not be measured are in `missing`, also after Ctrl-C.

    Raises:
        InputError: See `BenchRequest.check`; or a class list differs from the data's.
        ArtefactError: A bundle or checkpoint is damaged.
        MissingDependencyError: PyTorch is missing for the teacher or the student, or no bundle
            has its engine here.
    """
    request.check()
    journal, log = Journal.for_output(request.out), RunLog()
    link = DeviceLink(request, journal, log)
    try:
        result = _measure(request, link, journal, log, RunProgress(console))
    finally:
        link.close()
    if not result.missing:
        journal.forget()
    return result


def _measure(
    request: BenchRequest, link: DeviceLink, journal: Journal, log: RunLog, progress: RunProgress
) -> Result:
    data = request.data.limited(request.limit)
    images = data_facts(data)
    with progress.bars:
        plan = _adapted(_plan(request, data), request, link.reach(data.paths, progress))
        host = CachedDevice(LocalDevice("host"), journal)
        accuracy = AccuracyStage(request, data, link, host, plan.threads, log, progress)
        answers = accuracy.run()
        rows = TimingStage(request.device, link, plan, log, progress).run(answers)
    return Result(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=request.command or shlex.join(sys.argv),
        device=link.describe(),
        data=images,
        task=data.task,
        policy=policy_facts(request.policy, data.classes),
        rows=_compared(rows, answers, request, data),
        missing=log.distinct_missing(),
        stop=log.early_end,
        host=local_facts() | {"threads": plan.threads, "preset": request.preset},
    )


def _plan(request: BenchRequest, data: BenchData) -> TimingPlan:
    return TimingPlan(
        preset=find_preset(request.preset, request.minutes),
        threads=request.threads or default_threads(),
        images=_timed_images(data),
        sweep=request.sweep,
        meter=None if request.meter is None else PowerMeter(request.meter),
    )


def _adapted(plan: TimingPlan, request: BenchRequest, facts: dict[str, Any]) -> TimingPlan:
    """The plan for a device with these facts; as it is where the device cannot be used."""
    if not facts:
        return plan
    requested = (request.threads or threads_on(facts), *request.sweep)
    (threads, *sweep), notes = within_cores(requested, facts.get("cores_usable"))
    return replace(
        plan,
        threads=threads,
        sweep=tuple(sweep),
        energy="power_sensor" in facts or plan.meter is not None,
        notes=tuple(notes),
    )


def _compared(
    rows: Sequence[ResultRow],
    answers: Sequence[RowAnswers],
    request: BenchRequest,
    data: BenchData,
) -> list[ResultRow]:
    policy = policy_facts(request.policy, data.classes)
    return with_flips(with_teacher(_unique_names(rows), answers, data, policy), answers, data)


def _timed_images(data: BenchData) -> list[str]:
    chosen = np.linspace(0, len(data.paths) - 1, min(_TIMED_IMAGES, len(data.paths)))
    return [str(data.paths[int(index)].resolve()) for index in chosen]


def _unique_names(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """The rows with a number behind each name that several share: reports list rows by name."""
    counts = Counter(row.name for row in rows)
    seen: Counter[str] = Counter()
    named = []
    for row in rows:
        seen[row.name] += 1
        suffix = f" ({seen[row.name]})" if counts[row.name] > 1 else ""
        named.append(msgspec.structs.replace(row, name=row.name + suffix))
    return named
