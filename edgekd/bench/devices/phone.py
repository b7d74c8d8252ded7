"""A phone as a device whose models are timed by LiteRT's own `benchmark_model`.

The program runs on random pixels and makes no decision. Answers are computed by a Python of the
phone where there is one, else by the host; the rows state which.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekd.bench.devices.android import android_facts
from edgekd.bench.devices.benchmark_model import BenchmarkModelSettings, measure_by_benchmark_model
from edgekd.bench.devices.benchmark_report import MEMORY_DEFINITION, BenchmarkModelReport
from edgekd.bench.devices.board import RemoteDevice
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.devices.retry import RETRY_PAUSES_S, Retry
from edgekd.bench.devices.store import Store
from edgekd.bench.devices.transport import Transport
from edgekd.bench.measure.job import Answer, Job, MemoryAnswer
from edgekd.bench.measure.timing import find_preset
from edgekd.bundle import Bundle, ModelFiles
from edgekd.errors import InputError
from edgekd.extensions.backends import BACKENDS, backend_named

__all__ = ["PhoneDevice"]

_PROGRAM = "LiteRT benchmark_model"
_TIMER = "benchmark_model"
_TIMED = ("latency", "memory", "sweep")


class PhoneDevice:
    """A `Device` (see `edgekd.bench.devices`) whose models `benchmark_model` times.

    Args:
        name: Its name, as the user wrote it.
        targets: Targets whose bundles run there.
        transport: The link; this object closes it.
        settings: Where the program is, and its options.
        python: The same phone by its Python, for answers; None where it has none.
        pauses: Seconds before each new try over a lost link.
    """

    kind = "adb"

    def __init__(
        self,
        name: str,
        targets: Sequence[str],
        transport: Transport,
        settings: BenchmarkModelSettings,
        *,
        python: RemoteDevice | None = None,
        pauses: Sequence[float] = RETRY_PAUSES_S,
    ) -> None:
        self.name = name
        self.targets = tuple(targets)
        self._transport = transport
        self._settings = settings
        self._python = python
        self._retry = Retry(pauses)
        self._facts: dict[str, Any] | None = None
        self._reports: dict[tuple[str, int, str], BenchmarkModelReport] = {}

    @property
    def identity(self) -> str:
        """See `Device`."""
        own = f"{self.kind} {self._transport.name} {self._settings}"
        return own if self._python is None else f"{own} {self._python.identity}"

    @property
    def emulated(self) -> bool:
        """Whether it is an emulator, whose answers are valid and whose times are not."""
        if self._facts is None:
            self.facts()
        return bool((self._facts or {}).get("virtual_machine"))

    @property
    def decides(self) -> bool:
        """Whether it has a Python."""
        return self._python is not None

    def facts(self) -> dict[str, Any]:
        """See `Device`."""
        self._facts = self._retry.call(lambda: android_facts(self._transport))
        return self._facts

    def prepare(
        self, bundles: Sequence[Path], images: Sequence[Path], say: Callable[[str], None]
    ) -> None:
        """See `Device`. Models are copied when they are timed."""
        if self._python is not None:
            self._python.prepare(bundles, images, say)

    def run(self, job: Job) -> Answer:
        """See `Device`."""
        if job.kind == "facts":
            return Answer(machine=self.facts())
        if job.kind in _TIMED:
            return self._timed(job)
        if self._python is None:
            message = f"{_PROGRAM} on {self.name} takes no {job.kind} series"
            raise InputError(message, "set `python` in devices.toml where the phone has one")
        return self._python.run(job)

    def clean(self) -> None:
        """Remove what edgekd put there."""
        self._retry.call(Store(self._transport, self._settings.folder).clean)

    def close(self) -> None:
        """See `Device`."""
        self._transport.close()

    def _timed(self, job: Job) -> Answer:
        report = self._report(job)
        facts: dict[str, Any] = {
            "engine": _PROGRAM,
            "threads": job.threads,
            "program": report.command,
        }
        if self._settings.accelerator is not None:
            facts["accelerator_asked"] = self._settings.accelerator
        if job.kind == "memory":
            return Answer(memory=_memory(report), facts=facts)
        return Answer(
            statistics=report.inference,
            facts=facts,
            load_ms=report.load_ms,
            first_ms=report.first_ms,
            flags=report.flags,
            notes=report.notes,
        )

    def _report(self, job: Job) -> BenchmarkModelReport:
        """The program's report; time and memory come from the same run."""
        if job.bundle is None:
            message = f"a checkpoint is measured on this machine, not on {self.name}"
            raise InputError(message, "build a bundle of it with `edgekd build`")
        key = (job.bundle, job.threads, job.preset)
        if key not in self._reports:
            preset = find_preset(job.preset, job.minutes)
            with _litert_file(Path(job.bundle)) as model:
                self._reports[key] = self._retry.call(
                    lambda: measure_by_benchmark_model(
                        self._transport, self._settings, model, job.threads, preset
                    )
                )
        return self._reports[key]


def _memory(report: BenchmarkModelReport) -> MemoryAnswer:
    if report.memory is None:
        raise WorkerError(f"{_PROGRAM} tells no memory on this phone")
    return MemoryAnswer(
        rss_peak_delta_bytes=report.memory.overall_bytes,
        definition=MEMORY_DEFINITION,
        rss_peak_bytes=report.memory.peak_bytes,
    )


@contextmanager
def _litert_file(bundle: Path) -> Iterator[Path]:
    """The model of a bundle as a file."""
    with Bundle.open(bundle) as opened:
        backend = opened.manifest.lowering.backend
        if backend not in BACKENDS or backend_named(backend).timer != _TIMER:
            message = f"{_PROGRAM} runs LiteRT files alone, and {bundle.name} is for {backend}"
            raise InputError(message, "build a bundle for android, or set `python` alone")
        model: ModelFiles = opened.model
        if model.path is not None:
            yield model.path
            return
        with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
            file = Path(folder, model.name)
            file.write_bytes(model.read())
            yield file
