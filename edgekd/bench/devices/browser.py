"""The page for browsers in this machine's Chromium, as a device.

Every job has a browser of its own with an empty profile. The page's runtime computes the answers;
times are those of the page's own clock, which counts in steps of 5 µs there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure.disturbances import DisturbanceMonitor
from edgekd.bench.measure.job import Answer, ImageAnswer, Job, Kind, Series
from edgekd.bench.measure.machine import local_facts, temperatures
from edgekd.bench.measure.memory import PeakOfProcesses
from edgekd.bench.measure.sustained import sustain
from edgekd.bench.measure.timing import Call, Preset, find_preset, measure, returned_time, warm_up
from edgekd.errors import InputError
from edgekd.page import BUNDLE
from edgekd.page.chromium import ChromiumError
from edgekd.page.runner import PageRunner, first_visit, page_identity, run_bundle

__all__ = ["BrowserDevice"]

_MEMORY_RUNS = 20
_PROCESS = "the page's process in a fresh Chromium"


class BrowserDevice:
    """Chromium of this machine; see `edgekd.bench.devices.Device`.

    Args:
        name: Its name, which is its target's.
        page: Folder of the built page; None takes that of this checkout.
    """

    kind: ClassVar[str] = "browser"
    emulated: ClassVar[bool] = False
    decides: ClassVar[bool] = True

    def __init__(self, name: str, *, page: Path | None = None) -> None:
        self.name = name
        self.targets = (name,)
        self._page = page

    @cached_property
    def _page_identity(self) -> str:
        with _crashes():
            return page_identity(self._page)

    @property
    def identity(self) -> str:
        """The browser's version and the page's content."""
        return f"{self.kind} {self._page_identity}"

    def facts(self) -> dict[str, Any]:
        """Facts of this machine, and of the browser.

        Raises:
            MissingDependencyError: There is no Chromium, or the page is not built.
        """
        return local_facts() | {"browser": self._page_identity.partition(",")[0]}

    def prepare(
        self, bundles: Sequence[Path], images: Sequence[Path], say: Callable[[str], None]
    ) -> None:
        """Do nothing: a job serves what it needs."""

    def run(self, job: Job) -> Answer:
        """Run the job in a fresh browser; see `Device`.

        Raises:
            WorkerError: The browser or the page crashed.
            MissingDependencyError: There is no Chromium, or the page is not built.
            EdgekdError: The page refuses the bundle or an image.
        """
        if job.kind == "facts":
            return Answer(machine=self.facts())
        if job.kind not in _PASSES:
            message = f"a browser takes no {job.kind} series"
            raise InputError(message, "measure the power of its machine by another target")
        if job.bundle is None:
            message = f"a checkpoint is measured on this machine, not in {self.name}"
            raise InputError(message, "build a bundle of it with `edgekd build`")
        bundle, images = Path(job.bundle), [Path(image) for image in job.images]
        with _crashes(), run_bundle(bundle, page=self._page) as runner:
            answer = _PASSES[job.kind](runner, job, images)
        if job.kind != "latency":
            return answer
        with _crashes():
            return _with_first_visit(answer, bundle, images[0], self._page)

    def close(self) -> None:
        """Do nothing: no browser outlives its job."""


def _accuracy(runner: PageRunner, job: Job, images: Sequence[Path]) -> Answer:
    opened = runner.open(threads=job.threads)
    answers = []
    for image in images:
        answer = runner.predict(image)
        answers.append(
            ImageAnswer(
                outputs=list(answer.outputs),
                label=answer.label,
                decision=answer.decision,
                reasons=list(answer.reasons),
            )
        )
    return Answer(facts=opened.facts, image_answers=answers)


def _latency(runner: PageRunner, job: Job, images: Sequence[Path]) -> Answer:
    """Load, first inference, warm-up and the two series, each timed separately."""
    preset, before = find_preset(job.preset), temperatures()
    opened = runner.open(threads=job.threads, selftest=False)
    runner.take(images)
    first = runner.time_model(0)
    return Answer(
        facts=opened.facts,
        load_ms=opened.load_ms,
        first_ms=first,
        model=_series(runner, runner.time_model, preset),
        end_to_end=_series(runner, runner.time_photo, preset),
        temperatures_before_c=before,
        temperatures_after_c=temperatures(),
    )


def _series(runner: PageRunner, call: Call, preset: Preset) -> Series:
    warmup_runs = warm_up(call, preset, clock=returned_time)
    with DisturbanceMonitor(helpers=runner.cpu_seconds) as monitor:
        samples = measure(call, preset, clock=returned_time)
    return Series(samples_ms=samples, warmup_runs=warmup_runs, disturbances=monitor.disturbances)


def _memory(runner: PageRunner, job: Job, images: Sequence[Path]) -> Answer:
    """Peak memory of loading and deciding; the page and its runtime are loaded before."""
    peak = PeakOfProcesses(runner.processes())
    opened = runner.open(threads=job.threads, selftest=False)
    for image in itertools.islice(itertools.cycle(images), _MEMORY_RUNS):
        runner.predict(image)
    return Answer(facts=opened.facts, memory=peak.answer(_PROCESS))


def _sweep(runner: PageRunner, job: Job, images: Sequence[Path]) -> Answer:
    """Times of the model only, at one number of threads."""
    opened = runner.open(threads=job.threads, selftest=False)
    runner.take(images)
    series = _series(runner, runner.time_model, find_preset(job.preset))
    return Answer(facts=opened.facts, model=series)


def _sustained(runner: PageRunner, job: Job, images: Sequence[Path]) -> Answer:
    opened = runner.open(threads=job.threads, selftest=False)
    runner.take(images)
    warm_up(runner.time_model, find_preset("rapid"), clock=returned_time)
    minutes = find_preset(job.preset, job.minutes).minutes
    return Answer(
        facts=opened.facts,
        minutes=sustain(runner.time_model, minutes, clock=returned_time),
    )


_PASSES: dict[Kind, Callable[[PageRunner, Job, Sequence[Path]], Answer]] = {
    "accuracy": _accuracy,
    "latency": _latency,
    "memory": _memory,
    "sweep": _sweep,
    "sustained": _sustained,
}


def _with_first_visit(answer: Answer, bundle: Path, image: Path, page: Path | None) -> Answer:
    """The answer with times of the first visit to the page, and its size over the wire."""
    visit = first_visit(bundle, image, page=page)
    sizes = visit.gzip_bytes
    facts = {
        "page_ready_ms": visit.ready_ms,
        "page_decision_ms": visit.decision_ms,
        "page_gzip_bytes": sum(size for name, size in sizes.items() if name != BUNDLE),
        "bundle_gzip_bytes": sizes[BUNDLE],
    }
    return msgspec.structs.replace(answer, facts=answer.facts | facts)


@contextmanager
def _crashes() -> Iterator[None]:
    """A crash of the browser is the harness's error of a measuring process."""
    try:
        yield
    except ChromiumError as error:
        raise WorkerError(str(error)) from error
