"""Trials: lowered files, opened by their own runtime and run on the validation images.

Each backend has a process of its own: an engine that crashes on a file fails that file, not the
build. `python -m edgekd.lower.jobs.trial job.json` is that process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.files import atomic_write, pretty_json
from edgekd.lower.jobs.process import announce, run_in_process, serve
from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions.base import Facts, Session

__all__ = ["Answers", "TrialJob", "answers_of", "try_files"]

_MODULE = "edgekd.lower.jobs.trial"  # this one; __name__ is __main__ there
_FACTS = "facts.json"
_EVERY = 50  # images between two reports of progress


class TrialJob(msgspec.Struct, frozen=True, kw_only=True):
    """The files to run, and on which images.

    Attributes:
        session: Name of the session backend.
        files: Model files by label.
        images: File (.npy) with uint8 [N, S, S, 3].
        out: Folder that gets `<label>.npz` and `facts.json`.
        threads: Threads of the engine; the same for all, so that their times are comparable.
    """

    session: str
    files: dict[str, str]
    images: str
    out: str
    threads: int = 1


@dataclass(frozen=True)
class Answers:
    """The outputs of one file.

    Attributes:
        outputs: float32 [N, …].
        milliseconds: Time of each image [N], the engine alone, on this host with `threads` threads.
        facts: Name, version and settings of the engine.
    """

    outputs: NDArray[np.float32]
    milliseconds: NDArray[np.float64]
    facts: Facts

    @property
    def latency_ms(self) -> float:
        """Median milliseconds of an image on this host."""
        return float(np.median(self.milliseconds))

    def save(self, file: Path) -> None:
        """Write the outputs as .npz, whole or not at all."""
        facts = np.frombuffer(msgspec.json.encode(self.facts), np.uint8)
        with atomic_write(file) as beside, beside.open("wb") as stream:
            np.savez(stream, outputs=self.outputs, milliseconds=self.milliseconds, facts=facts)

    @classmethod
    def load(cls, file: Path) -> Answers:
        """Read a file that `save` wrote."""
        with np.load(file, allow_pickle=False) as arrays:
            facts = msgspec.json.decode(arrays["facts"].tobytes())
            return cls(arrays["outputs"], arrays["milliseconds"], facts)


def try_files(
    job: TrialJob, *, log: Path, report: Callable[[str], None] = lambda state: None
) -> dict[str, Answers]:
    """Run the job in a process of its own; the outputs by label.

    Args:
        job: The files and the images.
        log: File for the engine's output.
        report: Takes `label done/total` after every 50 images.

    Raises:
        JobError: An engine crashed, refused a file, or is not installed.
    """
    title = f"{job.session} on {', '.join(job.files)}"
    result = Path(job.out) / _FACTS
    run_in_process(_MODULE, job, title=title, log=log, result=result, report=report)
    return {label: Answers.load(Path(job.out) / f"{label}.npz") for label in job.files}


def run_job(job: TrialJob) -> None:
    """Run every file of the job on every image."""
    images = np.load(job.images, mmap_mode="r", allow_pickle=False)
    facts = {}
    for label, file in job.files.items():
        session = open_session(job.session, Path(file), threads=job.threads)
        try:
            answers = answers_of(session, images, _announced(label, len(images)))
        finally:
            session.close()
        answers.save(Path(job.out) / f"{label}.npz")
        facts[label] = answers.facts
    with atomic_write(Path(job.out) / _FACTS) as beside:
        beside.write_bytes(pretty_json(facts))


def _announced(label: str, total: int) -> Callable[[int], None]:
    def report(done: int) -> None:
        if done % _EVERY == 0:
            announce(f"{label} {done}/{total}")

    return report


def answers_of(
    session: Session, images: NDArray[np.uint8], report: Callable[[int], None] = lambda done: None
) -> Answers:
    """Outputs of an open session for images, in this very process.

    Args:
        session: The session of a file.
        images: uint8 [N, S, S, 3].
        report: Takes the number of images that are done, before each one.
    """
    outputs = np.empty((len(images), *session.output_shape[1:]), np.float32)
    taken = np.empty(len(images))
    for index in range(len(images)):
        report(index)
        image = np.array(images[index : index + 1])  # out of the file, before the clock starts
        start = time.perf_counter_ns()
        outputs[index] = session.run(image)[0]
        taken[index] = time.perf_counter_ns() - start
    return Answers(outputs, taken / 1e6, session.facts)


if __name__ == "__main__":
    sys.exit(serve(TrialJob, run_job, sys.argv[1:]))
