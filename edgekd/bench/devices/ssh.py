"""A device behind the system's OpenSSH, with the user's own configuration, keys and jump hosts.

One connection serves all commands (ControlMaster, ssh_config(5)), so that each takes milliseconds.
The device only needs a shell, neither scp nor sftp, so Dropbear and rescue systems work.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.transport import DeviceRefusedError, Finished
from edgekd.errors import DeviceUnreachableError

__all__ = ["SshTransport"]

_LINK_FAILED = 255
_LONGEST_SOCKET = 104 - 18 - 1
"""Most bytes of a socket's path: the strictest system's limit less what ssh appends at first."""

_BASE = {
    "BatchMode": "yes",  # nobody is there to type a password
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
}
_HOPELESS = (
    "permission denied",
    "host key verification failed",
    "could not resolve hostname",
    "bad configuration option",
    "no such identity",
    "remote host identification has changed",
)


class SshTransport(CommandTransport):
    """A `Transport` by ssh.

    Args:
        host: As on ssh's command line: `pi@derm-1`, or a name of the user's ssh configuration.
        options: Arguments of ssh before the host; they override those that are set here.
    """

    def __init__(self, host: str, options: Sequence[str] = ()) -> None:
        self._host = host
        self._sockets = _socket_folder()
        arguments = [*options, *(f"-o{name}={value}" for name, value in self._settings().items())]
        self._ssh = ["ssh", "-T", "-x", *arguments]
        super().__init__(f"ssh {host}", [*self._ssh, "--", host])

    def close(self) -> None:
        """See `Transport`; the shared connection ends."""
        if self._sockets is None:
            return
        if any(self._sockets.iterdir()):
            leave = [*self._ssh, "-O", "exit", "--", self._host]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(leave, capture_output=True, check=False, timeout=10)
        shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    def _settings(self) -> dict[str, str]:
        if self._sockets is None:
            return _BASE
        # The master ends by itself where this process is killed before it can end it.
        shared = {"ControlMaster": "auto", "ControlPersist": "120"}
        return _BASE | shared | {"ControlPath": str(self._sockets / "s")}

    def _argv(self, command: str) -> list[str]:
        # ssh exits with 255 for a broken link, but also for a command that exits with 255 or is
        # killed by a signal: a shell around the command turns these into 254 and 128 + signal.
        # It also makes sure of a POSIX shell, whatever the login shell is.
        script = f"sh -c {shlex.quote(command)}; c=$?; test $c -ne 255 || c=254; exit $c"
        return [*self._prefix, f"exec sh -c {shlex.quote(script)}"]

    def _check_link(self, finished: Finished) -> None:
        if finished.code not in (_LINK_FAILED, -1):
            return
        words = finished.last_line or "the connection was lost"
        hopeless = any(mark in words.lower() for mark in _HOPELESS)
        kind = DeviceRefusedError if hopeless else DeviceUnreachableError
        raise kind(f"{self.name}: {words}", f"try it by hand: {self._by_hand()}")

    def _by_hand(self) -> str:
        own = self._ssh[3 : len(self._ssh) - len(self._settings())]
        return shlex.join(["ssh", "-o", "BatchMode=yes", *own, self._host, "true"])


def _socket_folder() -> Path | None:
    """A private folder with a short path; None where ssh cannot share a connection (Windows)."""
    if sys.platform == "win32":
        return None
    for parent in (None, "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="ekd-", dir=parent))
        if len(str(folder / "s").encode()) <= _LONGEST_SOCKET:
            return folder
        folder.rmdir()
    return None
