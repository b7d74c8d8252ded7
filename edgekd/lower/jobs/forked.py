"""Processes for jobs, forked from one that has imported what they need (Linux only).

Imports of torch, timm and torchvision are several processor seconds of each conversion.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

from edgekd.lower.jobs.fork_server import LENGTH_BYTES, ForkRequest

__all__ = ["ForkedProcess", "can_fork", "fork"]

_SERVER = "edgekd.lower.jobs.fork_server"
_FREE = ("EDGEKD_", "PYTEST_")
"""Variables that no imported module has read; others make another server."""


class ForkedProcess:
    """A job's process, used like the `subprocess.Popen` of `python -m module argument`.

    Attributes:
        stdout: What it prints, errors included; ends when it and all that it started have ended.
        returncode: Its exit code, negative for a signal; None until `wait` or `poll` has seen it.
    """

    def __init__(self, output: int, state: socket.socket) -> None:
        self.stdout = os.fdopen(output, "rb")
        self.returncode: int | None = None
        self._state = state

    def __enter__(self) -> ForkedProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stdout.close()
        self.wait()
        self._state.close()

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        if self.returncode is None:
            text = b""
            while not text.endswith(b"\n") and (part := self._state.recv(16)):
                text += part
            # Without a word the server was killed, and the job with it.
            self.returncode = int(text) if text else -signal.SIGKILL
        return self.returncode

    def kill(self) -> None:
        """Kill it with all that it started; `wait` sees its end."""
        with suppress(OSError):  # it has ended
            self._state.shutdown(socket.SHUT_WR)


class _Server:
    """The client of one server."""

    def __init__(self, imports: tuple[str, ...]) -> None:
        self._imports = imports
        self._environment = _environment_of_imports()
        self._channel, end = socket.socketpair()
        with end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _SERVER, str(end.fileno()), *imports],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[end.fileno()], start_new_session=True,
            )  # fmt: skip

    def serves(self, imports: tuple[str, ...]) -> bool:
        return (self._imports, self._environment) == (imports, _environment_of_imports())

    def start(self, request: ForkRequest) -> ForkedProcess:
        output, their_output = os.pipe()
        state, their_state = socket.socketpair()
        raw = msgspec.json.encode(request)
        header = len(raw).to_bytes(LENGTH_BYTES, "big")
        try:
            socket.send_fds(self._channel, [header], [their_output, their_state.fileno()])
            self._channel.sendall(raw)
        except OSError:
            os.close(output)
            state.close()
            raise
        finally:
            os.close(their_output)
            their_state.close()
        return ForkedProcess(output, state)

    def close(self) -> subprocess.Popen[bytes]:
        """Let its process end after its last job."""
        self._channel.close()
        return self._process


def _environment_of_imports() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(_FREE)}


class _Servers:
    """One server takes new jobs; earlier ones end after theirs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._ending: list[subprocess.Popen[bytes]] = []

    def start(self, request: ForkRequest, imports: tuple[str, ...]) -> ForkedProcess:
        with self._lock:
            if self._server is not None and self._server.serves(imports):
                with suppress(OSError):  # it was killed
                    return self._server.start(request)
            self._close()
            self._server = _Server(imports)
            return self._server.start(request)

    def end(self) -> None:
        with self._lock:
            self._close()
            for process in self._ending:
                process.wait()

    def _close(self) -> None:
        self._ending = [process for process in self._ending if process.poll() is None]
        if self._server is not None:
            self._ending.append(self._server.close())
            self._server = None


_SERVERS = _Servers()
atexit.register(_SERVERS.end)


def can_fork() -> bool:
    """Whether `fork` works here: Linux 5.3 or newer."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def fork(module: str, argument: str, imports: tuple[str, ...]) -> ForkedProcess:
    """Start `python -m module argument` as a fork of a process that has imported modules.

    The working directory and the environment are those of now.

    Args:
        module: Name of the module.
        argument: Its only argument.
        imports: Names of the modules that the process has imported; absent ones are left out.

    Raises:
        OSError: No process can be started.
    """
    request = ForkRequest(
        module=module,
        argument=argument,
        folder=str(Path.cwd()),
        environment=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    return _SERVERS.start(request, imports)
