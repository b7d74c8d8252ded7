"""A link to a device: shell commands run there, files grow there."""

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
"""Told how many bytes are there, of how many."""


class DeviceRefusedError(DeviceUnreachableError):
    """The device says no: to try again changes nothing."""


class DeviceFullError(DeviceRefusedError):
    """There is no room on the device's disk."""


class DeviceSilentError(DeviceUnreachableError):
    """A command did not end in the time that it was given."""


class Finished(NamedTuple):
    """A command of the device that has ended."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def last_line(self) -> str:
        """The last line that it wrote to stderr, else to stdout; empty for silence."""
        for stream in (self.stderr, self.stdout):
            lines = stream.decode(errors="replace").strip().splitlines()
            if lines:
                return lines[-1].strip()
        return ""

    @property
    def no_room(self) -> str:
        """The line of stderr that says that the disk is full; empty where none does."""
        lines = self.stderr.decode(errors="replace").splitlines()
        full = (line for line in lines if any(mark in line.lower() for mark in _NO_ROOM))
        return next(full, "").strip()


class Transport(Protocol):
    """A link to a device that has a POSIX shell."""

    @property
    def name(self) -> str:
        """Such as `ssh pi@derm-1`, for messages."""

    def run(self, command: str, *, stdin: bytes | None = None, timeout: float = 60.0) -> Finished:
        """Run a POSIX shell command there.

        Args:
            command: For `sh -c`.
            stdin: What it reads; nothing by default.
            timeout: Seconds until this side gives it up; it may go on there.

        Raises:
            DeviceUnreachableError: The link failed. A command that fails is no error.
            DeviceRefusedError: The link failed, and will do so again.
            DeviceSilentError: The command did not end in time.
        """

    def send(self, content: Path, remote: str, progress: Progress | None = None) -> None:
        """Append what is missing of a local file to the file `remote`, whose folder exists.

        Where the link breaks, what arrived stays, and the next call goes on from there. What is
        there already is not compared: the caller checks the hash.

        Args:
            content: The file here.
            remote: Absolute path there.
            progress: Told of every block that left.

        Raises:
            DeviceUnreachableError: The link failed.
            DeviceFullError: There is no room for it there; what arrived is removed.
        """

    def close(self) -> None:
        """Let go of the link; to close again does no harm."""


def disk_full(name: str, words: str) -> DeviceFullError:
    """The error of a link called `name` whose device says so in its `words`."""
    hint = "make room there, or remove what edgekd put there with --clean-device"
    return DeviceFullError(f"the disk of {name} is full: {words}", hint)


def quoted_path(path: str) -> str:
    """A device's path for its shell: `~` alone is expanded there, and nothing else."""
    if path == "~":
        return '"$HOME"'
    if path.startswith("~/"):
        return f'"$HOME"/{shlex.quote(path[2:])}'
    return shlex.quote(path)
