"""A connection that is a command of this machine, which runs its arguments on the device.

`ssh HOST`, `adb -s SERIAL shell` and the entry of an emulated board are such commands.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from edgekd.bench.devices.transport import (
    DeviceRefusedError,
    DeviceSilentError,
    Finished,
    Progress,
    disk_full,
)
from edgekd.errors import DeviceUnreachableError

__all__ = ["CommandTransport"]

_BLOCK = 1 << 16


class CommandTransport:
    """A `Transport` that puts a prefix before every command.

    Args:
        name: Name for messages.
        prefix: The command; `sh -c COMMAND` follows it as three arguments.
    """

    def __init__(self, name: str, prefix: Sequence[str]) -> None:
        self.name = name
        self._prefix = tuple(prefix)

    def run(self, command: str, *, stdin: bytes | None = None, timeout: float = 60.0) -> Finished:
        """See `Transport`."""
        with self._started(command, stdout=subprocess.PIPE, feeds=stdin is not None) as running:
            try:
                stdout, _ = running.process.communicate(stdin, timeout)
            except subprocess.TimeoutExpired as error:
                message = f"{self.name} did not answer within {timeout:.0f} s"
                hint = "see whether the device is busy or out of reach"
                raise DeviceSilentError(message, hint) from error
            finished = running.finished(stdout)
        self._check_link(finished)
        return finished

    def send(self, content: Path, remote: str, progress: Progress | None = None) -> None:
        """See `Transport`."""
        size, there = content.stat().st_size, self._size(remote)
        if there > size:
            self._must(f": >{shlex.quote(remote)}")
            there = 0
        if there < size:
            self._append(content, remote, there, progress)

    def close(self) -> None:
        """There is nothing to close."""

    def _argv(self, command: str) -> list[str]:
        return [*self._prefix, "sh", "-c", command]

    def _check_link(self, finished: Finished) -> None:
        """Raise DeviceUnreachableError where the connection failed, not the command."""

    @contextlib.contextmanager
    def _started(self, command: str, *, stdout: int, feeds: bool) -> Iterator[_Running]:
        """Start a command, which is killed at the end of the block if it still runs.

        It has its own session, so that only this process handles Ctrl-C. Its stderr is a file,
        since a background ssh master would keep a pipe open.
        """
        argv = self._argv(command)
        with tempfile.TemporaryFile() as stderr:
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
            except OSError as error:
                message = f"{self.name}: {argv[0]} cannot be started: {error.strerror}"
                raise DeviceRefusedError(message, "install it, or correct devices.toml") from error
            try:
                yield _Running(process, stderr)
            finally:
                _end(process)

    def _size(self, remote: str) -> int:
        path = shlex.quote(remote)
        done = self._must(f"if [ -f {path} ]; then wc -c <{path}; else echo 0; fi")
        return int(done.stdout.split()[-1])

    def _must(self, command: str) -> Finished:
        done = self.run(command)
        if done.code != 0:
            raise self._write_error(done)
        return done

    def _append(self, content: Path, remote: str, start: int, progress: Progress | None) -> None:
        command = f"LC_ALL=C cat >>{shlex.quote(remote)}"
        with self._started(command, stdout=subprocess.DEVNULL, feeds=True) as running:
            _pump(running.process, content, start, progress)
            running.process.wait()
            finished = running.finished(b"")
        self._check_link(finished)
        if finished.code != 0:
            self.run(f"rm -f {shlex.quote(remote)}")
            raise self._write_error(finished)

    def _write_error(self, done: Finished) -> DeviceUnreachableError:
        if full := done.no_room:
            return disk_full(self.name, full)
        words = done.last_line
        message = f"{self.name} cannot write: {words or f'exit code {done.code}'}"
        return DeviceUnreachableError(message, "see `folder` in devices.toml")


class _Running(NamedTuple):
    """A running command."""

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]

    def finished(self, stdout: bytes) -> Finished:
        """The result, once the command has ended."""
        self.stderr.seek(0)
        return Finished(self.process.returncode, stdout, self.stderr.read())


def _pump(
    process: subprocess.Popen[bytes], content: Path, start: int, progress: Progress | None
) -> None:
    """Write a file from `start` on; ends where the process stops reading."""
    assert process.stdin is not None
    size = content.stat().st_size
    with content.open("rb") as file, contextlib.suppress(BrokenPipeError):
        file.seek(start)
        while block := file.read(_BLOCK):
            process.stdin.write(block)
            start += len(block)
            if progress is not None:
                progress(start, size)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process with its children, and close the pipes."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
