"""Times on a phone by LiteRT's own `benchmark_model`, where no Python runs on the phone.

The user builds the program or takes it from LiteRT's releases. It reports no samples, only
statistics on random pixels; numbers that cannot be derived from these are null and flagged.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edgekd.bench.devices.benchmark_report import BenchmarkModelReport, Delegation, read_report
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.devices.store import Store, blob_of
from edgekd.bench.devices.transport import Finished, Transport
from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.timing import Preset
from edgekd.bench.result.validity import MAX_VARIATION
from edgekd.errors import ArtefactError, InputError

__all__ = ["BenchmarkModelSettings", "measure_by_benchmark_model"]

_LOADING_SECONDS = 300.0
_LEVELS = ("VERBOSE", "INFO", "WARN", "ERROR")
_NO_SAMPLES = Flag("no-samples", "benchmark_model reports mean, median, 5 % and 95 % alone")
_RANDOM_INPUT = Flag("random-input", "benchmark_model runs on random pixels, not on photos")
_MODEL_ALONE = Flag("model-alone", "benchmark_model neither decodes nor decides")


@dataclass(frozen=True)
class BenchmarkModelSettings:
    """Where the program is, and its options.

    Attributes:
        program: Its path: on the phone, or on this machine with `push`.
        folder: A folder of the phone from which programs can be run.
        push: Whether the program is on this machine and has to be copied to the phone.
        accelerator: `gpu` or `npu`; None is the CPU.
        options: Further options, as the user typed them.
    """

    program: str
    folder: str = "/data/local/tmp/edgekd"
    push: bool = False
    accelerator: Literal["gpu", "npu"] | None = None
    options: tuple[str, ...] = ()


def measure_by_benchmark_model(
    transport: Transport,
    settings: BenchmarkModelSettings,
    model: Path,
    threads: int,
    preset: Preset,
) -> BenchmarkModelReport:
    """Time a TensorFlow Lite file on a phone.

    Args:
        transport: The link to the phone.
        settings: Where the program is, and its options.
        model: The file, on this machine.
        threads: Threads of the CPU.
        preset: How long to measure; the program has no equivalent of `settle_seconds`.

    Raises:
        InputError: The program is not where it should be, or cannot run there.
        ArtefactError: The program refused the model.
        WorkerError: The program crashed, or its output cannot be parsed.
        DeviceUnreachableError: The link failed.
    """
    store = Store(transport, settings.folder)
    program = _program(transport, store, settings)
    blob = blob_of(model)
    store.put([blob])
    options = list(_options(settings, store.path(blob.sha256), threads, preset))
    command = shlex.join([program, *options])
    limit = _LOADING_SECONDS + 2 * preset.max_seconds + preset.warmup_seconds
    # One stream: errors are printed to stdout or stderr, and their order matters.
    done = transport.run(f"{command} 2>&1", timeout=limit)
    output = done.stdout.decode(errors="replace")
    if done.code != 0:
        raise _failure(done, output, program, transport.name)
    report = read_report(output)
    return msgspec.structs.replace(
        report,
        flags=list(_flags(report, settings.accelerator, preset)),
        notes=list(_notes(report)),
        command=command,
    )


def _program(transport: Transport, store: Store, settings: BenchmarkModelSettings) -> str:
    """Path of the program on the phone."""
    if settings.push:
        local = Path(settings.program)
        if not local.is_file():
            raise InputError(f"there is no {local}", "name LiteRT's benchmark_model for Android")
        blob = blob_of(local)
        store.put([blob])
        program = store.path(blob.sha256)
        transport.run(f"chmod 755 {shlex.quote(program)}")
        return program
    if transport.run(f"test -x {shlex.quote(settings.program)}").code != 0:
        message = f"{transport.name} has no program {settings.program}"
        hint = f"adb push benchmark_model {settings.program}, then: adb shell chmod 755 …"
        raise InputError(message, hint)
    return settings.program


def _options(
    settings: BenchmarkModelSettings, model: str, threads: int, preset: Preset
) -> Iterator[str]:
    yield f"--graph={model}"
    yield f"--num_threads={threads}"
    yield f"--num_runs={preset.runs}"
    yield f"--min_secs={preset.seconds:g}"
    yield f"--max_secs={preset.max_seconds:g}"
    yield f"--warmup_runs={preset.warmup_runs}"
    yield f"--warmup_min_secs={preset.warmup_seconds:g}"
    if settings.accelerator is not None:
        yield f"--use_{settings.accelerator}=true"
    yield from settings.options


def _failure(done: Finished, output: str, program: str, name: str) -> Exception:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["nothing"]
    own = [line for line in lines if line.startswith(_LEVELS)] or lines
    errors = [line for line in own if line.startswith("ERROR")] or lines[-1:]
    if done.code in (126, 127):
        hint = "it has to be LiteRT's benchmark_model for this phone's processor (android_arm64)"
        return InputError(f"{program} cannot be run on {name}: {lines[-1]}", hint)
    if done.code > 128:
        return WorkerError(f"benchmark_model died of signal {done.code - 128} after: {own[-1]}")
    # The last error is always "Benchmarking failed."; the cause stands before it.
    return ArtefactError(
        f"benchmark_model refuses the model on {name}: {errors[0]}",
        "lower it for this phone, or try another precision or accelerator",
    )


def _flags(report: BenchmarkModelReport, accelerator: str | None, preset: Preset) -> Iterator[Flag]:
    runs = report.inference
    if runs.n < preset.runs:
        yield Flag("too-few-samples", f"model, {runs.n} of {preset.runs} runs")
    variation = runs.std_ms / runs.mean_ms if runs.std_ms and runs.mean_ms else 0.0
    if variation > MAX_VARIATION:
        yield Flag("high-variation", f"model, standard deviation {variation:.0%} of the mean")
    if report.unknown_options:
        yield Flag("unknown-options", " ".join(report.unknown_options))
    if accelerator is not None and not _elsewhere(report):
        detail = f"{accelerator} was requested, and nothing says that it was used"
        yield Flag("accelerator", detail)


def _notes(report: BenchmarkModelReport) -> Iterator[Flag]:
    yield from (_NO_SAMPLES, _RANDOM_INPUT, _MODEL_ALONE)
    for part in report.delegations:
        if _in_pieces(part):
            yield Flag("partitions", _in_words(part))


def _in_pieces(part: Delegation) -> bool:
    return part.partitions > 1 or (part.of is not None and part.nodes < part.of)


def _in_words(part: Delegation) -> str:
    whole = "" if part.of is None else f" of {part.of}"
    return f"{part.delegate} took {part.nodes}{whole} nodes in {part.partitions} pieces"


def _elsewhere(report: BenchmarkModelReport) -> bool:
    """Whether something other than the CPU runs part of the graph."""
    if any("xnnpack" not in part.delegate.lower() for part in report.delegations):
        return True
    return re.search(r"Explicitly applied \w+ delegate, and the model", report.output) is not None
