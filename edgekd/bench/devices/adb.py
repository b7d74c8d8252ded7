"""A phone reached by the system's adb.

adb does not report whether a command ended or the connection broke: version 29 exits with code 0
and half of the output when the cable is pulled. Therefore every command here prints its own exit
code behind a random mark; where the mark is missing, the connection was lost.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.transport import (
    DeviceFullError,
    DeviceRefusedError,
    DeviceSilentError,
    Finished,
    Progress,
)
from edgekd.errors import DeviceUnreachableError, EdgekdError, MissingDependencyError

__all__ = ["WRITABLE", "AdbMissingError", "AdbTransport"]

WRITABLE = "/data/local/tmp"
"""The folder of every Android phone that adb may write to and run programs from."""

_CHUNK = 4 * 1024 * 1024
_CHUNK_SECONDS = 300.0
_ADB_SECONDS = 30.0
_CONNECT_SECONDS = 2.0

_AGAIN = "check the cable or the network and run it again: what was copied is kept"


class _Trouble(NamedTuple):
    """A state in which a phone cannot be used, by adb's own message."""

    words: tuple[str, ...]
    error: type[DeviceUnreachableError]
    message: str
    hint: str
    by_network: str = ""


_TROUBLES = (
    _Trouble(
        ("unauthorized",),
        DeviceRefusedError,
        "the phone does not let this computer in",
        "unlock the phone, allow USB debugging where it asks, and run it again",
    ),
    _Trouble(
        ("no permissions", "insufficient permissions"),
        DeviceRefusedError,
        "this user may not open the phone's USB device",
        "install the udev rules (on Debian: android-sdk-platform-tools-common), then: "
        "adb kill-server",
    ),
    _Trouble(
        ("offline",),
        DeviceUnreachableError,
        "the phone does not answer",
        "unplug the phone and plug it in again, or: adb reconnect offline",
        "see whether it is awake and in this network, then",
    ),
    _Trouble(
        ("not found", "no devices", "unable to connect", "failed to connect"),
        DeviceUnreachableError,
        "there is no such phone",
        "switch on USB debugging in the phone's developer options, connect it, and look for it "
        "with: adb devices",
        "see whether it is awake, in this network, and has wireless debugging switched on, then",
    ),
)


class AdbMissingError(MissingDependencyError):
    """The program `adb` is not in the path; pip cannot install it."""

    def __init__(self) -> None:
        hint = "apt install adb, or Android's platform-tools; it has to be in the PATH"
        message = "adb is not installed; it is needed to reach a phone"
        EdgekdError.__init__(self, message, hint)
        self.package, self.extra = "adb", ""


class AdbTransport(CommandTransport):
    """A `Transport` to a phone, by the system's adb.

    The adb server, its keys and its port are the user's own (`ANDROID_ADB_SERVER_PORT`, `HOME`).
    A phone that is reached by network (`host:port` as its serial) is connected to when
    necessary. Android 6 and older, whose shell gives neither exit code nor exact bytes, work too.

    Args:
        serial: As `adb devices` shows it; may be empty where only one phone is connected.
        folder: A folder of the phone for small temporary files.

    Raises:
        AdbMissingError: There is no adb.
    """

    def __init__(self, serial: str = "", *, folder: str = WRITABLE) -> None:
        self._adb = _Adb(serial)
        super().__init__(self._adb.name, self._adb.command)
        self._folder = folder
        self._shell: _Shell | None = None

    def run(self, command: str, *, stdin: bytes | None = None, timeout: float = 60.0) -> Finished:
        """See `Transport`."""
        if self._shell is None:
            self._shell = self._reach()
        try:
            return self._shell.run(command, stdin, timeout)
        except DeviceUnreachableError:
            self._shell = None  # look for the phone again next time
            raise

    def close(self) -> None:
        """See `Transport`. There is nothing to close: the adb server is the user's."""
        self._shell = None

    def _reach(self) -> _Shell:
        self._adb.connect()
        features = self._adb.ask("features").stdout.decode(errors="replace").split()
        return _Split(self._adb) if "shell_v2" in features else _Merged(self._adb, self._folder)

    def _append(self, content: Path, remote: str, start: int, progress: Progress | None) -> None:
        size, path = content.stat().st_size, shlex.quote(remote)
        with content.open("rb") as file:
            file.seek(start)
            while chunk := file.read(_CHUNK):
                start += len(chunk)
                self._add(path, chunk, start)
                if progress is not None:
                    progress(start, size)

    def _add(self, path: str, chunk: bytes, size: int) -> None:
        command = f"LC_ALL=C cat >>{path} && wc -c <{path}"
        done = self.run(command, stdin=chunk, timeout=_CHUNK_SECONDS)
        if done.code != 0:
            self.run(f"rm -f {path}")
            raise self._write_error(done)
        if int(done.stdout) != size:
            message = f"{path} on {self.name} has other bytes than those that were written"
            raise DeviceUnreachableError(message, "another run copies there: wait for its end")


class _Completed(Protocol):
    """The part of `subprocess.CompletedProcess` that is used here."""

    returncode: int
    stdout: bytes
    stderr: bytes


class _Adb:
    """The adb program, for one phone."""

    def __init__(self, serial: str) -> None:
        program = shutil.which("adb")
        if program is None:
            raise AdbMissingError
        self.name = f"adb {serial}".strip()
        self.command = [program, *(["-s", serial] if serial else [])]
        self._serial = serial

    def ask(
        self, *arguments: str, stdin: bytes | None = None, timeout: float = _ADB_SECONDS
    ) -> _Completed:
        """Run adb once.

        Raises:
            DeviceSilentError: It did not end in time.
        """
        try:
            return subprocess.run(
                [*self.command, *arguments],
                input=stdin or b"",
                capture_output=True,
                timeout=timeout,
                check=False,
                start_new_session=True,  # only this process handles Ctrl-C
            )
        except subprocess.TimeoutExpired as error:
            message = f"{self.name} did not answer within {timeout:.0f} s"
            raise DeviceSilentError(message, _AGAIN) from error

    def connect(self) -> None:
        """Make sure that the phone can be used.

        Raises:
            DeviceUnreachableError: It cannot; the hint says what to do.
        """
        self.ask("start-server")
        state = self.ask("get-state")
        ends = time.monotonic() + _CONNECT_SECONDS
        while ":" in self._serial and not _settled(state) and time.monotonic() < ends:
            # A dead connection that adb takes for alive prevents a new one, and
            # adb's own attempts to reconnect may interfere with this one.
            self.ask("disconnect", self._serial)
            self.ask("connect", self._serial)
            state = self.ask("get-state")
            if not _settled(state):
                time.sleep(0.2)
        if not _is_ready(state):
            raise self.lost(state)

    def lost(self, completed: _Completed) -> DeviceUnreachableError:
        """The error that says why the phone cannot be used, from adb's output."""
        complaint = _complaint(completed)
        if "more than one" in complaint:
            message = "adb sees several devices, and none is named"
            hint = f"name one as serial in devices.toml or ANDROID_SERIAL: {self._serials()}"
            return DeviceRefusedError(message, hint)
        for trouble in _TROUBLES:
            if any(words in complaint for words in trouble.words):
                by_network = ":" in self._serial and trouble.by_network
                hint = f"{trouble.by_network}: adb connect {self._serial}" if by_network else ""
                return trouble.error(f"{self.name}: {trouble.message}", hint or trouble.hint)
        return DeviceUnreachableError(
            f"{self.name}: {complaint or 'the connection broke off'}", _AGAIN
        )

    def broken(self) -> DeviceUnreachableError:
        """The error for a command that did not end, which adb itself does not report."""
        return self.lost(self.ask("get-state"))

    def _serials(self) -> str:
        lines = self.ask("devices").stdout.decode(errors="replace").splitlines()
        return ", ".join(line.split()[0] for line in lines[1:] if line.strip())


def _is_ready(state: _Completed) -> bool:
    return state.stdout.strip() == b"device"


def _settled(state: _Completed) -> bool:
    """Whether another attempt to connect would give the same result."""
    return _is_ready(state) or b"unauthorized" in state.stderr


def _complaint(completed: _Completed) -> str:
    """The line of adb's own error message; empty without one."""
    lines = (completed.stderr + b"\n" + completed.stdout).decode(errors="replace").splitlines()
    own = [line.strip() for line in lines if line.startswith(("error:", "adb:"))]
    return own[-1].removeprefix("adb: ").removeprefix("error: ") if own else ""


class _Shell(Protocol):
    """A way to run commands on the phone."""

    def run(self, command: str, stdin: bytes | None, timeout: float) -> Finished:
        """Exit code, output and errors of a command."""


class _Split:
    """The shell of Android 7 and later, which separates output and errors."""

    def __init__(self, adb: _Adb) -> None:
        self._adb = adb

    def run(self, command: str, stdin: bytes | None, timeout: float) -> Finished:
        mark = _new_mark()
        # In a separate shell, so that a syntax error of the command cannot swallow the mark.
        line = f"sh -c {shlex.quote(command)}; echo {mark}$? >&2"
        completed = self._adb.ask("shell", line, stdin=stdin, timeout=timeout)
        errors, separator, code = completed.stderr.rpartition(mark.encode())
        if not separator or not code.strip().isdigit():
            raise self._adb.broken()
        return Finished(int(code), completed.stdout, errors)


class _Merged:
    """The shell up to Android 6: one stream, no exit code, no end of the input.

    `exec-out` gives that stream without the terminal that would change its line ends. Input and
    errors pass through files.
    """

    def __init__(self, adb: _Adb, folder: str) -> None:
        self._adb, self._folder = adb, folder

    def run(self, command: str, stdin: bytes | None, timeout: float) -> Finished:
        mark = _new_mark()
        passing = shlex.quote(f"{self._folder}/.{mark.rstrip('=')}")
        source = f"{passing}.in" if stdin else "/dev/null"
        if stdin:
            self._push(stdin, f"{self._folder}/.{mark.rstrip('=')}.in", timeout)
        line = (
            f"sh -c {shlex.quote(command)} < {source} 2> {passing}.err; echo {mark}$?; "
            f"cat {passing}.err; rm -f {passing}.in {passing}.err"
        )
        completed = self._adb.ask("exec-out", line, timeout=timeout)
        output, separator, rest = completed.stdout.rpartition(mark.encode())
        code, _, errors = rest.partition(b"\n")
        if not separator or not code.isdigit():
            raise self._adb.broken()
        return Finished(int(code), output, errors)

    def _push(self, data: bytes, remote: str, timeout: float) -> None:
        with tempfile.NamedTemporaryFile(prefix="edgekd-") as file:
            file.write(data)
            file.flush()
            completed = self._adb.ask("push", file.name, remote, timeout=timeout)
        if completed.returncode == 0:
            return
        if b"No space left" in completed.stdout + completed.stderr:
            message = f"the disk of {self._adb.name} is full"
            raise DeviceFullError(message, "free some space on the phone and run it again")
        raise self._adb.broken()


def _new_mark() -> str:
    return f"edgekd-{secrets.token_hex(8)}="
