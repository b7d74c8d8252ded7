"""The measuring process: `python -m edgekd.bench.measure.worker JOB.json`.

Each measurement has its own process, since allocator, thread pools and caches of an earlier run
would affect the memory and time of the next one.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edgekd.bench.measure.disturbances import DisturbanceMonitor
from edgekd.bench.measure.energy import (
    SHORTEST_METERED_SECONDS,
    SHORTEST_SECONDS,
    find_power_sensor,
    measure_energy,
    sensor_facts,
    time_work,
    why_no_sensor,
)
from edgekd.bench.measure.job import Answer, ImageAnswer, Job, Kind, Series, failure_of
from edgekd.bench.measure.machine import local_facts, temperatures
from edgekd.bench.measure.memory import PeakMemory
from edgekd.bench.measure.process_start import process_start_time
from edgekd.bench.measure.subject import Subject, open_bundle, open_checkpoint
from edgekd.bench.measure.sustained import sustain
from edgekd.bench.measure.timing import Call, Preset, find_preset, measure, warm_up
from edgekd.errors import EdgekdError, InputError
from edgekd.files import write_atomically

__all__ = ["do", "main"]

_MEMORY_RUNS = 20


def main(arguments: Sequence[str]) -> int:
    """Run the job in the named file, or from stdin where the name is `-`.

    The answer goes to the job's output file; of a job from stdin, to stdout as its last line.
    """
    from edgekd.runtime.telemetry import silence

    silence()
    by_pipe = arguments[0] == "-"
    raw = sys.stdin.buffer.read() if by_pipe else Path(arguments[0]).read_bytes()
    job = msgspec.json.decode(raw, type=Job)
    try:
        answer = do(job)
    except EdgekdError as error:
        answer = Answer(failure=failure_of(error))
    encoded = msgspec.json.encode(answer)
    if by_pipe:
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\n" + encoded + b"\n")
    else:
        write_atomically(Path(job.output), encoded)
    return 0


def do(job: Job) -> Answer:
    """Run a job in this process.

    Raises:
        EdgekdError: The runtime or PyTorch refuses the model or an image.
    """
    if job.kind == "facts":
        return Answer(machine=local_facts() | sensor_facts())
    if not job.images:
        raise InputError("a measurement needs images", "give at least one")
    if job.kind == "accuracy":
        return _accuracy(job)
    images = [Path(image).read_bytes() for image in job.images]
    return _PASSES[job.kind](job, images)


def _accuracy(job: Job) -> Answer:
    """The answer of a bundle to every image, by the same code that an app calls."""
    from edgekd.runtime import Classifier

    if job.bundle is None:
        raise InputError("the job names no bundle", "name one")
    with Classifier.open(job.bundle, threads=job.threads, backend=job.backend) as classifier:
        answers = [
            ImageAnswer(
                outputs=list(prediction.logits),
                label=prediction.label,
                decision=prediction.decision,
                reasons=[reason.code for reason in prediction.reasons],
            )
            for prediction in classifier.predict_many(job.images)
        ]
        return Answer(facts=dict(classifier.facts), image_answers=answers)


def _open(job: Job) -> Subject:
    if job.bundle is not None:
        return open_bundle(job.bundle, backend=job.backend, threads=job.threads)
    if job.checkpoint is not None:
        return open_checkpoint(job.checkpoint, threads=job.threads)
    raise InputError("the job names neither a bundle nor a checkpoint", "name one")


def _latency(job: Job, images: Sequence[bytes]) -> Answer:
    """Load, first inference, warm-up and the two series, each timed separately."""
    preset = find_preset(job.preset)
    before = temperatures()
    begin = time.perf_counter_ns()
    subject = _open(job)
    loaded = time.perf_counter_ns()
    pixels = [subject.preprocess(image) for image in images]
    start = time.perf_counter_ns()
    subject.logits(pixels[0])
    first = time.perf_counter_ns()
    answer = Answer(
        facts=dict(subject.facts),
        load_ms=(loaded - begin) / 1e6,
        first_ms=(first - start) / 1e6,
        model=_series(lambda n: subject.logits(pixels[n % len(pixels)]), preset),
        end_to_end=_series(lambda n: subject.predict(images[n % len(images)]), preset),
        temperatures_before_c=before,
        temperatures_after_c=temperatures(),
    )
    subject.close()
    return answer


def _series(call: Call, preset: Preset) -> Series:
    warmup_runs = warm_up(call, preset)
    with DisturbanceMonitor() as monitor:
        samples = measure(call, preset)
    return Series(samples_ms=samples, warmup_runs=warmup_runs, disturbances=monitor.disturbances)


@contextmanager
def _model_call(job: Job, images: Sequence[bytes]) -> Iterator[tuple[Subject, Call]]:
    """The opened subject, and a function that runs its model on the n-th image."""
    subject = _open(job)
    pixels = [subject.preprocess(image) for image in images]
    yield subject, lambda n: subject.logits(pixels[n % len(pixels)])
    subject.close()


def _sweep(job: Job, images: Sequence[bytes]) -> Answer:
    """Times of the model only, at one number of threads."""
    with _model_call(job, images) as (subject, call):
        series = _series(call, find_preset(job.preset))
        return Answer(facts=dict(subject.facts), model=series)


def _sustained(job: Job, images: Sequence[bytes]) -> Answer:
    with _model_call(job, images) as (subject, call):
        warm_up(call, find_preset("rapid"))
        return Answer(
            facts=dict(subject.facts),
            minutes=sustain(call, find_preset(job.preset, job.minutes).minutes),
        )


def _energy(job: Job, images: Sequence[bytes]) -> Answer:
    if job.metered:
        return _work_times(job, images)
    sensor = find_power_sensor()
    if sensor is None:
        return Answer(energy_failure=why_no_sensor())
    preset = find_preset(job.preset)
    with _model_call(job, images) as (subject, call):
        warm_up(call, preset)
        power = measure_energy(call, max(preset.seconds, SHORTEST_SECONDS), sensor)
        return Answer(facts=dict(subject.facts), energy=power)


def _work_times(job: Job, images: Sequence[bytes]) -> Answer:
    """The energy pass for an external meter."""
    preset = find_preset(job.preset)
    with _model_call(job, images) as (subject, call):
        warm_up(call, preset)
        times = time_work(call, max(preset.seconds, SHORTEST_METERED_SECONDS), process_start_time())
        return Answer(facts=dict(subject.facts), work_times=times)


def _memory(job: Job, images: Sequence[bytes]) -> Answer:
    """Peak memory of loading and deciding; libraries that every device needs are loaded before."""
    import edgekd.runtime  # noqa: F401  numpy, OpenCV, bundle reader: no cost of the model

    peak = PeakMemory()
    subject = _open(job)
    for image in itertools.islice(itertools.cycle(images), _MEMORY_RUNS):
        subject.predict(image)
    answer = Answer(facts=dict(subject.facts), memory=peak.answer())
    subject.close()
    return answer


_PASSES: dict[Kind, Callable[[Job, Sequence[bytes]], Answer]] = {
    "latency": _latency,
    "memory": _memory,
    "sweep": _sweep,
    "sustained": _sustained,
    "energy": _energy,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
