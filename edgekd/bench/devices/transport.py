"""A connection to a device: it runs shell commands there and appends to files."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from edgekd.errors import DeviceUnreachableError

__all__ = [
    "DeviceFullError",
    "DeviceRefusedError",
    "DeviceSilentError",
    "Finished",
    "Progress",
    "Transport",
    "disk_full",
    "quoted_path",
]

_NO_ROOM = ("no space left", "quota exceeded")

Progress = Callable[[int, int], None]
"""Called with the number of bytes that arrived, and the total."""


class DeviceRefusedError(DeviceUnreachableError):
    """The device refuses the connection: another attempt would fail too."""


class DeviceFullError(DeviceRefusedError):
    """There is no room on the device's disk."""


class DeviceSilentError(DeviceUnreachableError):
    """A command did not end in time."""


class Finished(NamedTuple):
    """A command of the device that has ended."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def last_line(self) -> str:
        """The last line of stderr, else of stdout; may be empty."""
        for stream in (self.stderr, self.stdout):
            lines = stream.decode(errors="replace").strip().splitlines()
            if lines:
                return lines[-1].strip()
        return ""

    @property
    def no_room(self) -> str:
        """The line of stderr that reports a full disk; empty without one."""
        lines = self.stderr.decode(errors="replace").splitlines()
        full = (line for line in lines if any(mark in line.lower() for mark in _NO_ROOM))
        return next(full, "").strip()


class Transport(Protocol):
    """A connection to a device that has a POSIX shell."""

    @property
    def name(self) -> str:
        """Name for messages, such as `ssh pi@derm-1`."""

    def run(self, command: str, *, stdin: bytes | None = None, timeout: float = 60.0) -> Finished:
        """Run a POSIX shell command on the device.

        Args:
            command: For `sh -c`.
            stdin: Bytes that it reads; none by default.
            timeout: Seconds to wait; the command may go on running there.

        Raises:
            DeviceUnreachableError: The connection failed. A command that fails is no error.
            DeviceRefusedError: The connection failed, and would do so again.
            DeviceSilentError: The command did not end in time.
        """

    def send(self, content: Path, remote: str, progress: Progress | None = None) -> None:
        """Append the missing rest of a local file to the file `remote`, whose folder exists.

        Where the connection breaks, the part that arrived is kept, and the next call resumes there.
        That part is not compared: the caller checks the hash.

        Args:
            content: The file on this machine.
            remote: Absolute path on the device.
            progress: Called with the size of every block that was sent.

        Raises:
            DeviceUnreachableError: The connection failed.
            DeviceFullError: There is no room for it; the part that arrived is removed.
        """

    def close(self) -> None:
        """Close the connection; it may be closed already."""


def disk_full(name: str, words: str) -> DeviceFullError:
    """The error of the connection `name` whose device reports a full disk in `words`."""
    hint = "make room there, or remove what edgekd put there with --clean-device"
    return DeviceFullError(f"the disk of {name} is full: {words}", hint)


def quoted_path(path: str) -> str:
    """A path of the device quoted for its shell; only `~` is expanded there."""
    if path == "~":
        return '"$HOME"'
    if path.startswith("~/"):
        return f'"$HOME"/{shlex.quote(path[2:])}'
    return shlex.quote(path)
