"""Jobs that run in a process of their own: converters and engines.

They are large, chatty and at times crash; a process of its own keeps each from the others and from
the caller. A job that fails leaves its log and a `reproduce.sh` (an idea of Triton Model
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
from pathlib import Path
from typing import TypeVar

import msgspec

from edgekd.errors import EdgekdError, InputError
from edgekd.files import pretty_json, write_atomically

__all__ = ["JobError", "announce", "job_threads", "run_in_process", "serve"]

ERROR_MARK = "edgekd-error: "
"""Starts the line in which a job says why it failed."""

STATE_MARK = "edgekd-state: "
"""Starts a line that says what a job is doing now."""

HINT_MARK = "edgekd-hint: "
"""Starts the line in which a job says what to do about it."""

KIND_MARK = "edgekd-kind: "
"""Starts the line in which a job names the class of its error."""

DISK_FULL = "DiskFull"
"""The kind of an error that no other job of this machine is spared."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HANDED_ON = (2, 3, 5, 6)  # exit codes of EdgekdError: the user's mistake or the machine's lack
_PR_SET_PDEATHSIG = 1  # of Linux, <sys/prctl.h>
Job = TypeVar("Job", bound=msgspec.Struct)


class JobError(EdgekdError):
    """A job failed; its log and a `reproduce.sh` were kept.

    Args:
        message: What the job was about and what it said last.
        hint: The job's own, and where the log and the script are.
        exit_code: The job's own where the cause is the user's or the machine's (2, 3, 5, 6), or 1.
        killed: Whether something ended it by SIGKILL, which is how a lack of memory looks.
        kind: Name of the class of the job's own error; empty where it crashed.
        said: What it said last, without what it was about.
    """

    def __init__(
        self,
        message: str,
        hint: str,
        exit_code: int = 1,
        *,
        killed: bool = False,
        kind: str = "",
        said: str = "",
    ) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
        self.killed = killed
        self.kind = kind
        self.said = said or message


class _Running:
    """The processes of all jobs, so that whoever waits for them can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
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
    def started(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """A process that is gone when this is left; at once where an exception leaves it."""
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}  # what was said before a crash counts
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            # A session of its own: a terminal's Ctrl-C comes by this process alone.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, env=environment, start_new_session=True,
            )  # fmt: skip
            self._processes.add(process)
        try:
            with process:
                try:
                    yield process
                except BaseException:
                    _end(process)
                    raise
            if self._closed:  # it did not fail: it was ended
                raise KeyboardInterrupt
        finally:
            with self._lock:
                self._processes.discard(process)


_RUNNING = _Running()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it with all that it started."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def job_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that run jobs, all of which end at once where this is left by an exception.

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
    watch: Callable[[str], None] = lambda state: None,
) -> bytes:
    """Run `python -m module job.json` and give back what it wrote to `result`.

    Args:
        module: Its `__main__` ends in `serve`.
        job: What to do; kept beside the log.
        title: What it is about, for the error.
        log: File for everything that the process prints.
        result: File that the process writes last.
        watch: Told what the job announces.

    Raises:
        JobError: The process failed, or left no result.
    """
    log = log.absolute()
    log.parent.mkdir(parents=True, exist_ok=True)
    result.unlink(missing_ok=True)
    job_file = log.with_suffix(".job.json")
    write_atomically(job_file, pretty_json(job))
    command = [sys.executable, "-m", module, str(job_file)]
    code = _run(command, log, watch)
    if code != 0 or not result.is_file():
        raise _failure(title, command, log, code)
    return result.read_bytes()


def serve(kind: type[Job], work: Callable[[Job], None], arguments: list[str]) -> int:
    """The other end: do the job of the file; the exit code is 0, an EdgekdError's, or 1."""
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
        said = str(error).strip().splitlines() or [""]
        print(f"{ERROR_MARK}{type(error).__name__}: {said[0]}", flush=True)
        return 1
    return 0


def announce(state: str) -> None:
    """Tell the caller what this job is doing now."""
    print(f"{STATE_MARK}{state}", flush=True)


def _die_with_parent() -> None:
    """A caller that is killed must not leave a converter at work (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(command: list[str], log: Path, watch: Callable[[str], None]) -> int:
    with log.open("wb") as kept, _RUNNING.started(command) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kept.write(line)
            kept.flush()
            if line.startswith(STATE_MARK.encode()):
                watch(line.decode(errors="replace").strip().removeprefix(STATE_MARK))
    return process.returncode


def _failure(title: str, command: list[str], log: Path, code: int) -> JobError:
    script = log.with_name(f"{log.stem}.reproduce.sh")
    _write_script(script, command)
    said = _last_words(log, code)
    own, kinds = _marked(log, HINT_MARK), _marked(log, KIND_MARK)
    hint = f"{f'{own[-1]}; ' if own else ''}see {log}; run {script} to see it again"
    handed_on = code if code in _HANDED_ON else 1
    return JobError(
        f"{title}: {said}",
        hint,
        handed_on,
        killed=code == -signal.SIGKILL,
        kind=kinds[-1] if kinds else "",
        said=said,
    )


def _write_script(script: Path, command: list[str]) -> None:
    lines = ["#!/bin/sh", "# Runs the job that failed once more, in sight.", ""]
    lines += [f"cd {shlex.quote(str(Path.cwd()))} || exit 1", shlex.join(["exec", *command])]
    write_atomically(script, "\n".join(lines) + "\n")
    script.chmod(0o755)


def _last_words(log: Path, code: int) -> str:
    """The job's own error line, else what killed it, else the log's last line."""
    if marked := _marked(log, ERROR_MARK):
        return marked[-1]
    if code < 0:
        return f"the process was ended by {_signal_name(-code)}"
    lines = log.read_text(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else f"the process ended with exit code {code} and said nothing"


def _marked(log: Path, mark: str) -> list[str]:
    """What the log says in lines that start with a mark, where that is anything."""
    lines = log.read_text(errors="replace").splitlines()
    found = [line.removeprefix(mark).strip() for line in lines if line.startswith(mark)]
    return [text for text in found if text]


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name
