"""A board as a device: jobs run there by any link, with nothing of ours installed there before."""

from __future__ import annotations

import hashlib
import itertools
import os
import shlex
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edgekd.bench.devices.package import pack_runner
from edgekd.bench.devices.probe import BASE, ENGINES, BoardFacts, DeviceLacksError, Need, ask_board
from edgekd.bench.devices.store import Blob, Say, Store, blob_of, silent
from edgekd.bench.devices.transport import (
    DeviceRefusedError,
    DeviceSilentError,
    Finished,
    Transport,
    quoted_path,
)
from edgekd.bench.devices.wheels import Wheel, choose_wheels, first_of, read_wheelhouse
from edgekd.bench.launch import WorkerError, raised_again
from edgekd.bench.measure.job import Answer, Failure, Job
from edgekd.bench.measure.timing import find_preset
from edgekd.errors import DeviceUnreachableError, EdgekdError, InputError

__all__ = ["PAUSES", "RemoteDevice"]

T = TypeVar("T")

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each new try over a link that was lost."""
_LOADING_SECONDS = 300.0
_SECONDS_OF_AN_IMAGE = 20.0
_WORKER = "edgekd.bench.measure.worker"

_UNPACK = """
import os, shutil, sys, zipfile
target, archives = sys.argv[1], sys.argv[2:]
beside = target + ".new"
shutil.rmtree(beside, ignore_errors=True)
for archive in archives:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(beside)
for name in os.listdir(beside):
    if name.endswith(".data"):  # PyPA, binary distribution format: what goes beside the packages
        for part in ("purelib", "platlib"):
            folder = os.path.join(beside, name, part)
            if os.path.isdir(folder):
                shutil.copytree(folder, beside, dirs_exist_ok=True)
os.rename(beside, target)
"""


class RemoteDevice:
    """A `Device` (see `edgekd.bench.devices`) on the other end of a link.

    Args:
        name: As the user calls it.
        kind: `ssh`, `adb` or `emulated`.
        targets: Targets whose bundles run there.
        transport: The link; this object closes it.
        python: Its Python.
        folder: What may be written to there.
        wheelhouse: Wheels for what it lacks, or None.
        pauses: Seconds before each new try over a lost link.
    """

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
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.name = name
        self.kind = kind
        self.targets = tuple(targets)
        self.store = Store(transport, folder)
        self._transport = transport
        self._python = python
        self._wheelhouse = wheelhouse
        self._pauses = tuple(pauses)
        self._board: BoardFacts | None = None
        self._runner = ""
        self._site = ""
        self._there: dict[str, str] = {}
        self._blobs: dict[Path, Blob] = {}
        self._tokens = _tokens()
        self._left: list[str] = []
        self._met = False

    @property
    def emulated(self) -> bool:
        """Whether its processor is imitated: answers count then, times do not."""
        return self.kind == "emulated" or self.board().emulated

    def board(self) -> BoardFacts:
        """What its bare Python says; asked once.

        Raises:
            DeviceUnreachableError: It does not answer.
            DeviceLacksError: It has no Python that can run edgekd.
        """
        return self._linked(self._asked)

    def facts(self) -> dict[str, Any]:
        """See `Device`."""
        return self.run(Job(kind="facts")).machine

    def prepare(self, bundles: Sequence[Path], images: Sequence[Path], say: Say) -> None:
        """See `Device`. What is there already is not sent again; a broken copy goes on."""
        self._linked(lambda: self._equip(_needs(bundles), say))
        self._linked(lambda: self._deploy(bundles, images, say))

    def run(self, job: Job) -> Answer:
        """See `Device`. What the job names and is not there is brought there first."""
        self._linked(lambda: self._equip((), silent))
        translated = self._translated(job)
        done = self._linked(lambda: self._run_once(translated))
        return _answer(done)

    def clean(self) -> None:
        """Remove what edgekd put there."""
        self._linked(self.store.clean)
        self._runner = self._site = ""
        self._there.clear()

    def close(self) -> None:
        """See `Device`."""
        self._transport.close()

    # ---- what has to be there ----

    def _asked(self) -> BoardFacts:
        if self._board is None:
            self._board = ask_board(self._transport, self._python)
        return self._board

    def _equip(self, needs: Sequence[Need], say: Say) -> None:
        """The device part of edgekd, and the packages: the base must be there, an engine should."""
        board = self._asked()
        if not self._runner:
            self._runner = self._put_runner(say)
        wanted = (*BASE, *needs)
        if board.lacks(wanted) and self._wheelhouse is not None and not self._site:
            self._site = self._put_site(read_wheelhouse(self._wheelhouse), wanted, say)
            board = self._board = ask_board(self._transport, self._python, path=self._site)
        if lacking := board.lacks(BASE):
            raise self._lacks(lacking)

    def _put_runner(self, say: Say) -> str:
        with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
            archive = Path(folder, "runner.zip")
            archive.write_bytes(pack_runner())
            blob = blob_of(archive)
            self.store.put([blob], say)
        # Unpacked, since Python keeps no byte code of what it reads out of an archive.
        return self._unpacked(f"runner-{blob.sha256}", [blob])

    def _put_site(self, wheels: Sequence[Wheel], needs: Sequence[Need], say: Say) -> str:
        wanted = [first_of(need, wheels) for need in needs]
        chosen, foreign = choose_wheels(wheels, wanted, self._asked())
        if foreign:
            raise self._foreign(foreign)
        if not chosen:
            return ""
        blobs = [self._blob(wheel.path) for wheel in chosen]
        self.store.put(blobs, say)
        key = hashlib.sha256("".join(sorted(blob.sha256 for blob in blobs)).encode()).hexdigest()
        return self._unpacked(f"site-{key}", blobs)

    def _unpacked(self, name: str, archives: Sequence[Blob]) -> str:
        target = f"{self.store.folder}/{name}"
        sources = shlex.join(self.store.path(blob.sha256) for blob in archives)
        quoted = shlex.quote(target)
        unpack = f"{quoted_path(self._python)} - {quoted} {sources}"
        command = f"test -d {quoted} || {unpack}"
        done = self._transport.run(command, stdin=_UNPACK.encode(), timeout=_LOADING_SECONDS)
        if done.code != 0:
            raise DeviceRefusedError(
                f"{self._transport.name}: what edgekd needs cannot be unpacked: {done.last_line}",
                "see whether its disk is full; --clean-device removes what edgekd put there",
            )
        return target

    def _foreign(self, names: Sequence[str]) -> DeviceLacksError:
        board = self._asked()
        place = f"Python {board.python[0]}.{board.python[1]} on {board.machine}"
        place += f" with glibc {board.glibc_version or 'unknown'}"
        message = f"the wheels of {', '.join(names)} in {self._wheelhouse} do not fit {self.name}"
        hint = f"fetch those for {place}: pip download --only-binary :all: --platform …"
        return DeviceLacksError(f"{message} ({place})", hint, names[0])

    def _lacks(self, needs: Sequence[Need]) -> DeviceLacksError:
        names = [need.distributions[0] for need in needs]
        message = f"{self.name}: its {self._python} has no {', no '.join(names)}"
        hint = f"there: {self._python} -m pip install {' '.join(names)}"
        hint += "; or give a folder of wheels with --wheelhouse"
        return DeviceLacksError(message, hint, names[0])

    def _deploy(self, bundles: Sequence[Path], images: Sequence[Path], say: Say) -> None:
        trees = {bundle: self._files_of(bundle) for bundle in bundles}
        blobs = [blob for files in trees.values() for blob in files.values()]
        blobs += [self._blob(image) for image in images]
        self.store.put(blobs, say)
        for image in images:
            self._there[str(image)] = self.store.path(self._blob(image).sha256)
        for bundle, files in trees.items():
            alone = not bundle.is_dir()
            there = self.store.path(files[""].sha256) if alone else self.store.tree(files)
            self._there[str(bundle)] = there

    def _files_of(self, bundle: Path) -> dict[str, Blob]:
        if not bundle.is_dir():
            return {"": self._blob(bundle)}
        files = (path for path in sorted(bundle.rglob("*")) if path.is_file())
        return {path.relative_to(bundle).as_posix(): self._blob(path) for path in files}

    def _blob(self, path: Path) -> Blob:
        if path not in self._blobs:
            if not path.is_file():
                raise InputError(f"there is no file {path}", "correct the path")
            self._blobs[path] = blob_of(path)
        return self._blobs[path]

    # ---- jobs ----

    def _translated(self, job: Job) -> Job:
        """The job with the paths of the board."""
        if job.checkpoint is not None:
            message = f"a checkpoint is measured on this machine, not on {self.name}"
            raise InputError(message, "build a bundle of it with `edgekd build`")
        bundles = [] if job.bundle is None else [Path(job.bundle)]
        if any(path not in self._there for path in (*map(str, bundles), *job.images)):
            images = [Path(image) for image in job.images]
            self._linked(lambda: self._deploy(bundles, images, silent))
        return msgspec.structs.replace(
            job,
            output="",
            bundle=None if job.bundle is None else self._there[job.bundle],
            images=[self._there[image] for image in job.images],
        )

    def _run_once(self, job: Job) -> Finished:
        """The job in a process that does not outlive this call, whatever happens to the link."""
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
        path = ":".join(part for part in (self._runner, self._site) if part)
        environment = {
            "PYTHONPATH": path,
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
        """Jobs that were running when the link broke."""
        left, self._left = self._left, []
        for token in left:
            self._kill(token)

    def _linked(self, action: Callable[[], T]) -> T:
        """Do something, again where a link is lost that was there."""
        for pause in (*self._pauses, None):
            try:
                self._end_leftovers()
                done = action()
            except DeviceRefusedError:
                raise
            except DeviceUnreachableError:
                if pause is None or not self._met:
                    raise
                time.sleep(pause)
            else:
                self._met = True
                return done
        raise AssertionError("the last try returns or raises")


def _answer(done: Finished) -> Answer:
    """What the process wrote as its last line.

    Raises:
        WorkerError: It crashed.
        EdgekdError: What it refused, as the same class.
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


def _needs(bundles: Sequence[Path]) -> list[Need]:
    """The engines of some bundles; a bundle that cannot be read is told by its own job."""
    from edgekd.bundle import Bundle

    found = []
    for path in bundles:
        try:
            with Bundle.open(path, verify=False) as bundle:
                backend = bundle.manifest.lowering.backend
        except EdgekdError:
            continue
        if backend in ENGINES and ENGINES[backend] not in found:
            found.append(ENGINES[backend])
    return found


def _limit(job: Job) -> float:
    """Seconds after which a job is given up."""
    series = find_preset(job.preset, job.minutes).longest_seconds
    images = _SECONDS_OF_AN_IMAGE * len(job.images) if job.kind == "accuracy" else 0.0
    return _LOADING_SECONDS + series + images


def _tokens() -> Iterator[str]:
    """Names of this process's jobs."""
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
    return (f"{machine}-{os.getpid()}-{number}" for number in itertools.count())
