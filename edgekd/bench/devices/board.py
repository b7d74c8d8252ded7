"""A board as a device: jobs run there over any connection; edgekd need not be installed."""

from __future__ import annotations

import hashlib
import itertools
import os
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from edgekd.bench.devices.equipment import Equipment
from edgekd.bench.devices.launch import WorkerError, raised_again
from edgekd.bench.devices.probe import BoardFacts, DeviceLacksError, engine_of
from edgekd.bench.devices.retry import RETRY_PAUSES_S, Retry
from edgekd.bench.devices.store import Say, Store, silent
from edgekd.bench.devices.transport import DeviceSilentError, Finished, Transport, quoted_path
from edgekd.bench.measure.job import Answer, Failure, Job
from edgekd.bench.measure.timing import find_preset
from edgekd.errors import DeviceUnreachableError, EdgekdError, InputError
from edgekd.extensions.backends import Requirement

__all__ = ["RemoteDevice"]

T = TypeVar("T")

_LOADING_SECONDS = 300.0
_SECONDS_OF_AN_IMAGE = 20.0
_WORKER = "edgekd.bench.measure.worker"


class RemoteDevice:
    """A `Device` (see `edgekd.bench.devices`) on the other end of a link.

    Args:
        name: Its name, as the user wrote it.
        kind: `ssh`, `adb` or `emulated`.
        targets: Targets whose bundles run there.
        transport: The link; this object closes it.
        python: Command of its Python.
        folder: A folder that edgekd may write to there.
        wheelhouse: Wheels for packages that it lacks, or None.
        pauses: Seconds before each new try over a lost link.
    """

    decides: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        kind: str,
        targets: Sequence[str],
        transport: Transport,
        *,
        python: str = "python3",
        folder: str = "~/.cache/edgekd-bench",
        wheelhouse: Path | None = None,
        pauses: Sequence[float] = RETRY_PAUSES_S,
    ) -> None:
        self.name = name
        self.kind = kind
        self.targets = tuple(targets)
        self._equipment = Equipment(name, transport, python, folder, wheelhouse)
        self._transport = transport
        self._python = python
        self._retry = Retry(pauses)
        self._tokens = _tokens()
        self._left: list[str] = []

    @property
    def store(self) -> Store:
        """The files that edgekd put on the board."""
        return self._equipment.store

    @property
    def identity(self) -> str:
        """See `Device`."""
        return f"{self.kind} {self._transport.name} {self._python}"

    @property
    def emulated(self) -> bool:
        """Whether the processor is emulated: its answers are valid, its times are not."""
        return self.kind == "emulated" or self.board().emulated

    def board(self) -> BoardFacts:
        """Facts from the board's bare Python, read once.

        Raises:
            DeviceUnreachableError: It does not answer.
            DeviceLacksError: It has no Python that can run edgekd.
        """
        return self._linked(self._equipment.board)

    def facts(self) -> dict[str, Any]:
        """See `Device`."""
        return self.run(Job(kind="facts")).machine

    def prepare(self, bundles: Sequence[Path], images: Sequence[Path], say: Say) -> None:
        """See `Device`. Files that are there are not sent again; a broken copy is resumed."""
        self._linked(lambda: self._equipment.equip(_needs(bundles), say))
        self._linked(lambda: self._equipment.deploy(bundles, images, say))

    def run(self, job: Job) -> Answer:
        """See `Device`. Files that the job names and the board lacks are copied first."""
        self._linked(lambda: self._equipment.equip((), silent))
        translated = self._translated(job)
        done = self._linked(lambda: self._run_once(translated))
        return _answer(done)

    def clean(self) -> None:
        """Remove what edgekd put there."""
        self._linked(self.store.clean)
        self._equipment.forget()

    def close(self) -> None:
        """See `Device`."""
        self._transport.close()

    # ---- jobs ----

    def _translated(self, job: Job) -> Job:
        """The job with paths of the board."""
        if job.checkpoint is not None:
            message = f"a checkpoint is measured on this machine, not on {self.name}"
            raise InputError(message, "build a bundle of it with `edgekd build`")
        place_of = self._equipment.place_of
        bundles = [] if job.bundle is None else [Path(job.bundle)]
        if None in map(place_of, (*map(str, bundles), *job.images)):
            images = [Path(image) for image in job.images]
            self._linked(lambda: self._equipment.deploy(bundles, images, silent))
        return msgspec.structs.replace(
            job,
            output="",
            bundle=None if job.bundle is None else place_of(job.bundle),
            images=[place_of(image) or image for image in job.images],
        )

    def _run_once(self, job: Job) -> Finished:
        """Run the job in a process that ends with this call, even where the connection breaks."""
        token, limit = next(self._tokens), _limit(job)
        try:
            return self._transport.run(
                self._command(job, token), stdin=msgspec.json.encode(job), timeout=limit
            )
        except DeviceSilentError as error:
            self._kill(token)
            message = f"the measuring process on {self.name} did not end within {limit:.0f} s"
            raise WorkerError(message) from error
        except BaseException:
            self._kill(token)
            raise

    def _command(self, job: Job, token: str) -> str:
        folder = self.store.folder
        environment = {
            "PYTHONPATH": self._equipment.path,
            "OMP_NUM_THREADS": str(job.threads),
            "ORT_DISABLE_TELEMETRY": "1",
            "EDGEKD_CACHE": f"{folder}/cache",
        }
        variables = " ".join(f"{name}={shlex.quote(text)}" for name, text in environment.items())
        note = shlex.quote(f"{folder}/jobs/{token}")
        start = f"echo $$ >{note}; exec env {variables} {quoted_path(self._python)} -m {_WORKER} -"
        return f"sh -c {shlex.quote(start)}; c=$?; rm -f {note}; exit $c"

    def _kill(self, token: str) -> None:
        """End a job that may still be measuring, so that it does not disturb the next one."""
        note = shlex.quote(f"{self.store.folder}/jobs/{token}")
        script = (
            f"p=$(cat {note} 2>/dev/null) || exit 0; "
            f'grep -q {_WORKER} "/proc/$p/cmdline" 2>/dev/null && kill -9 "$p"; rm -f {note}'
        )
        try:
            self._transport.run(script, timeout=15.0)
        except DeviceUnreachableError:
            self._left.append(token)

    def _end_leftovers(self) -> None:
        """End jobs that were running when the connection broke."""
        left, self._left = self._left, []
        for token in left:
            self._kill(token)

    def _linked(self, action: Callable[[], T]) -> T:
        """Run an action, and repeat it where a working connection is lost."""

        def undisturbed() -> T:
            self._end_leftovers()
            return action()

        return self._retry.call(undisturbed)


def _answer(done: Finished) -> Answer:
    """The answer that the process wrote as its last line.

    Raises:
        WorkerError: It crashed.
        EdgekdError: The process refused the job; of the same class as there.
    """
    lines = done.stdout.strip().splitlines()
    if done.code != 0 or not lines:
        how = f"signal {done.code - 128}" if done.code > 128 else f"exit code {done.code}"
        words = done.last_line if done.stderr else ""
        raise WorkerError(f"the measuring process ended with {how}" + (words and f": {words}"))
    try:
        answer = msgspec.json.decode(lines[-1], type=Answer)
    except msgspec.DecodeError as error:
        raise WorkerError("the measuring process gave no answer that can be read") from error
    if answer.failure is not None:
        raise _error(answer.failure)
    return answer


def _error(failure: Failure) -> EdgekdError:
    if failure.kind == "MissingDependencyError":
        hint = f"on the device: {failure.hint}; or give a folder of wheels with --wheelhouse"
        return DeviceLacksError(failure.message, hint, failure.message.split(" ")[0])
    return raised_again(failure)


def _needs(bundles: Sequence[Path]) -> list[Requirement]:
    """Engines of some bundles; a bundle that cannot be read is reported by its own job."""
    from edgekd.bundle import Bundle

    engines = []
    for path in bundles:
        try:
            with Bundle.open(path, verify=False) as bundle:
                engine = engine_of(bundle.manifest.lowering.backend)
        except EdgekdError:
            continue
        if engine is not None and engine not in engines:
            engines.append(engine)
    return engines


def _limit(job: Job) -> float:
    """Seconds after which a job is ended."""
    series = find_preset(job.preset, job.minutes).longest_seconds
    images = _SECONDS_OF_AN_IMAGE * len(job.images) if job.kind == "accuracy" else 0.0
    return _LOADING_SECONDS + series + images


def _tokens() -> Iterator[str]:
    """Names that identify this process's jobs."""
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
    return (f"{machine}-{os.getpid()}-{number}" for number in itertools.count())
