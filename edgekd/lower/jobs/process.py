"""Jobs that run in a process of their own: converters and engines.

They use much memory, print a lot and may crash; separate processes isolate them from each other and
from the caller. A job that fails leaves its log and a `reproduce.sh` (an idea of Triton Model
Navigator).
"""

from __future__ import annotations

import ctypes
import errno
import os
import shlex
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from edgekd.errors import EdgekdError, InputError
from edgekd.files import pretty_json, write_atomically
from edgekd.lower.jobs.forked import ForkedProcess, can_fork, fork

__all__ = ["JobError", "announce", "job_threads", "run_in_process", "serve"]

ERROR_MARK = "edgekd-error: "
"""Starts the line with the message of a job's error."""

STATE_MARK = "edgekd-state: "
"""Starts a line with the state of a job."""

HINT_MARK = "edgekd-hint: "
"""Starts the line with the hint of a job's error."""

KIND_MARK = "edgekd-kind: "
"""Starts the line with the class of a job's error."""

DISK_FULL = "DiskFull"
"""The kind of an error that would end every other job on this machine too."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HANDED_ON = (2, 3, 5, 6)  # exit codes of EdgekdError that the user or the machine causes
_PR_SET_PDEATHSIG = 1  # of Linux, <sys/prctl.h>
Job = TypeVar("Job", bound=msgspec.Struct)
_Process: TypeAlias = "subprocess.Popen[bytes] | ForkedProcess"


class JobError(EdgekdError):
    """A job failed; its log and a `reproduce.sh` were kept.

    Args:
        message: The title of the job and its last message.
        hint: Hint of the job, and where the log and the script are.
        exit_code: Exit code of the job if the user or the machine is the cause (2, 3, 5, 6), or 1.
        killed: Whether SIGKILL ended it, as where memory runs out.
        kind: Name of the class of the error in the job; empty where it crashed.
        cause: The last message of the job, without its title.
    """

    def __init__(
        self,
        message: str,
        hint: str,
        exit_code: int = 1,
        *,
        killed: bool = False,
        kind: str = "",
        cause: str = "",
    ) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
        self.killed = killed
        self.kind = kind
        self.cause = cause or message


class _Running:
    """The processes of all jobs, to end them together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[_Process] = set()
        self._closed = False

    def open(self) -> None:
        with self._lock:
            self._closed = False

    def close(self) -> None:
        """End every process, and start no other one."""
        with self._lock:
            self._closed = True
            for process in self._processes:
                _end(process)

    @contextmanager
    def started(self, start: Callable[[], _Process]) -> Iterator[_Process]:
        """A process that has ended when the block is left; an exception kills it."""
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            process = start()
            self._processes.add(process)
        try:
            with process:
                try:
                    yield process
                except BaseException:
                    _end(process)
                    raise
            if self._closed:  # it did not fail: it was killed
                raise KeyboardInterrupt
        finally:
            with self._lock:
                self._processes.discard(process)


_RUNNING = _Running()


def _start(command: list[str]) -> _Process:
    # Unbuffered: output before a crash must not be lost.
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # In a new session, so that Ctrl-C of a terminal reaches the caller alone.
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, start_new_session=True,
    )  # fmt: skip


def _end(process: _Process) -> None:
    """Kill a process with all that it started."""
    if isinstance(process, ForkedProcess):
        process.kill()
        return
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def job_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that run jobs; an exception in the block kills all of their processes.

    So Ctrl-C waits for no converter. A thread that would start another job gets a
    KeyboardInterrupt then.
    """
    try:
        with ThreadPoolExecutor(count) as pool:
            try:
                yield pool
            except BaseException:
                _RUNNING.close()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        _RUNNING.open()


def run_in_process(
    module: str,
    job: msgspec.Struct,
    *,
    title: str,
    log: Path,
    result: Path,
    report: Callable[[str], None] = lambda state: None,
    imports: tuple[str, ...] = (),
) -> bytes:
    """Run `python -m module job.json` and return the content of the file `result`.

    Args:
        module: Name of a module whose `__main__` ends in `serve`.
        job: The job; it is kept beside the log.
        title: Title of the job, for the error.
        log: File for everything that the process prints.
        result: File that the process writes last.
        report: Takes the states that the job announces.
        imports: Modules that take long to import. On Linux the process is a fork of one that has
            imported them, so that a second job need not.

    Raises:
        JobError: The process failed, or left no result.
    """
    log = log.absolute()
    log.parent.mkdir(parents=True, exist_ok=True)
    result.unlink(missing_ok=True)
    job_file = log.with_suffix(".job.json")
    write_atomically(job_file, pretty_json(job))
    command = [sys.executable, "-m", module, str(job_file)]
    forked = bool(imports) and can_fork()
    start = partial(fork, module, str(job_file), imports) if forked else partial(_start, command)
    code = _run(start, log, report)
    if code != 0 or not result.is_file():
        raise _failure(title, command, log, code)
    return result.read_bytes()


def serve(kind: type[Job], work: Callable[[Job], None], arguments: list[str]) -> int:
    """Run the job of a file here; the exit code is 0, that of an EdgekdError, or 1."""
    _die_with_parent()
    try:
        work(msgspec.json.decode(Path(arguments[0]).read_bytes(), type=kind))
    except EdgekdError as error:
        print(f"{KIND_MARK}{type(error).__name__}\n{HINT_MARK}{error.hint}")
        print(f"{ERROR_MARK}{error.message}", flush=True)
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        if isinstance(error, OSError) and error.errno in _FULL:
            print(f"{KIND_MARK}{DISK_FULL}\n{HINT_MARK}make room on the disk that it names")
            print(f"{ERROR_MARK}{error}", flush=True)
            return InputError.exit_code
        lines = str(error).strip().splitlines() or [""]
        print(f"{ERROR_MARK}{type(error).__name__}: {lines[0]}", flush=True)
        return 1
    return 0


def announce(state: str) -> None:
    """Report the state of this job to the caller."""
    print(f"{STATE_MARK}{state}", flush=True)


def _die_with_parent() -> None:
    """End this process when its caller is killed (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(start: Callable[[], _Process], log: Path, report: Callable[[str], None]) -> int:
    with log.open("wb") as kept, _RUNNING.started(start) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kept.write(line)
            kept.flush()
            if line.startswith(STATE_MARK.encode()):
                report(line.decode(errors="replace").strip().removeprefix(STATE_MARK))
    return process.wait()


def _failure(title: str, command: list[str], log: Path, code: int) -> JobError:
    script = log.with_name(f"{log.stem}.reproduce.sh")
    _write_script(script, command)
    cause = _cause(log, code)
    hints, kinds = _marked(log, HINT_MARK), _marked(log, KIND_MARK)
    hint = f"{f'{hints[-1]}; ' if hints else ''}see {log}; run {script} to see it again"
    exit_code = code if code in _HANDED_ON else 1
    return JobError(
        f"{title}: {cause}",
        hint,
        exit_code,
        killed=code == -signal.SIGKILL,
        kind=kinds[-1] if kinds else "",
        cause=cause,
    )


def _write_script(script: Path, command: list[str]) -> None:
    lines = ["#!/bin/sh", "# Runs the job that failed once more, in sight.", ""]
    lines += [f"cd {shlex.quote(str(Path.cwd()))} || exit 1", shlex.join(["exec", *command])]
    write_atomically(script, "\n".join(lines) + "\n")
    script.chmod(0o755)


def _cause(log: Path, code: int) -> str:
    """The message of the job's error, else the signal that ended it, else the log's last line."""
    if marked := _marked(log, ERROR_MARK):
        return marked[-1]
    if code < 0:
        return f"the process was ended by {_signal_name(-code)}"
    lines = log.read_text(errors="replace").splitlines()
    texts = [line.strip() for line in lines if line.strip()]
    return texts[-1] if texts else f"the process ended with exit code {code} and printed nothing"


def _marked(log: Path, mark: str) -> list[str]:
    """The texts of lines of the log that start with a mark, empty ones left out."""
    lines = log.read_text(errors="replace").splitlines()
    texts = [line.removeprefix(mark).strip() for line in lines if line.startswith(mark)]
    return [text for text in texts if text]


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name
