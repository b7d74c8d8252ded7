"""A process that imports modules once and forks a copy of itself for each job.

`python -m edgekd.lower.jobs.fork_server FD MODULE…` is that process; `forked.py` is its client. A
job comes as two descriptors (its output, and a socket for its state), a length and JSON. The server
answers on the job's socket with the exit code when the job has ended, and kills the job when the
client shuts its side of that socket down.
"""

from __future__ import annotations

import importlib
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

__all__ = ["LENGTH_BYTES", "ForkRequest"]

LENGTH_BYTES = 8
_READ = select.POLLIN | select.POLLHUP | select.POLLERR


class ForkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A job: `python -m module argument` in a folder, with environment variables."""

    module: str
    argument: str
    folder: str
    environment: dict[str, str]


@dataclass(frozen=True)
class _Child:
    process: int
    ended: int  # a descriptor of the process, readable when it has ended
    state: socket.socket

    def close(self) -> None:
        os.close(self.ended)
        self.state.close()

    def kill(self) -> None:
        """Kill it with all that it started."""
        try:
            os.killpg(self.process, signal.SIGKILL)
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(self.process, signal.SIGKILL)


class _Server:
    """Forks for each request that comes through a socket.

    Args:
        channel: The socket; after its end the server serves its children until they have ended.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel, self._open = channel, True
        self._children: dict[int, _Child] = {}  # by the descriptors to be polled
        self._poll = select.poll()
        self._poll.register(channel, _READ)

    def serve(self) -> ForkRequest | None:
        """Serve until the client and all children have gone: None. In each child: its job."""
        while self._open or self._children:
            # One event at a time: what it leads to may close the descriptors of the next ones.
            descriptor, _ = self._poll.poll()[0]
            if descriptor == self._channel.fileno():
                received = self._receive()
                if received is None:
                    self._poll.unregister(descriptor)
                    self._open = False
                elif (job := self._fork(*received)) is not None:
                    return job
            elif descriptor == (child := self._children[descriptor]).ended:
                self._report(child)
            else:  # the client wants it to end
                self._poll.unregister(descriptor)
                child.kill()
        return None

    def _receive(self) -> tuple[ForkRequest, int, socket.socket] | None:
        header, descriptors, _, _ = socket.recv_fds(self._channel, LENGTH_BYTES, 2)
        if len(descriptors) != 2:
            return None
        output, state = descriptors
        length = int.from_bytes(header, "big")
        raw = bytearray()
        while len(raw) < length:
            if not (part := self._channel.recv(length - len(raw))):
                return None
            raw += part
        return msgspec.json.decode(raw, type=ForkRequest), output, socket.socket(fileno=state)

    def _fork(self, job: ForkRequest, output: int, state: socket.socket) -> ForkRequest | None:
        process = os.fork()
        if process == 0:
            state.close()
            self._leave(output)
            return job
        os.close(output)
        child = _Child(process, os.pidfd_open(process), state)
        for descriptor in (child.ended, state.fileno()):
            self._children[descriptor] = child
            self._poll.register(descriptor, _READ)
        return None

    def _leave(self, output: int) -> None:
        """Become a process of its own, that prints to `output`."""
        os.setsid()
        for child in set(self._children.values()):
            child.close()
        self._channel.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)

    def _report(self, child: _Child) -> None:
        _, status = os.waitpid(child.process, 0)
        for descriptor in (child.ended, child.state.fileno()):
            del self._children[descriptor]
            with suppress(KeyError):
                self._poll.unregister(descriptor)
        with suppress(OSError):  # the client may have gone
            child.state.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        child.close()


def _run(job: ForkRequest, started_in: str) -> None:
    if sys.path[0] == started_in:  # `python -m` puts the folder of now there
        sys.path[0] = job.folder
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment)
    for stream in (sys.stdout, sys.stderr):  # output before a crash must not be lost
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    sys.argv = [job.module, job.argument]
    runpy.run_module(job.module, run_name="__main__", alter_sys=True)


def main(arguments: list[str]) -> None:
    """Import modules, then serve; a child runs its job and exits as that does."""
    started_in = str(Path.cwd())
    for name in arguments[1:]:
        with suppress(ImportError):  # the job says what is missing
            importlib.import_module(name)
    job = _Server(socket.socket(fileno=int(arguments[0]))).serve()
    if job is not None:
        _run(job, started_in)


if __name__ == "__main__":
    main(sys.argv[1:])
