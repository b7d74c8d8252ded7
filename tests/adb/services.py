"""What an adb daemon does for a host: `shell:`, `shell,v2:`, `exec:` and `sync:`."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adb.protocol import Faults, Stream

_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)
_PACKET = struct.Struct("<BI")
_REQUEST = struct.Struct("<4sI")
_READ = 16 * 1024


@dataclass
class Services:
    """The services of one phone.

    Attributes:
        home: The folder of this machine that the phone can write.
        home_there: The same as the phone sees it.
        enter: Runs its arguments on the phone; nothing: they run here.
        env: The environment of its commands; None is that of this process.
        faults: What goes wrong.
        asked: Every service that was asked for, in order.
    """

    home: Path
    home_there: str
    enter: Sequence[str] = ()
    env: dict[str, str] | None = None
    faults: Faults = field(default_factory=Faults)
    asked: list[str] = field(default_factory=list)

    async def serve(self, stream: Stream, service: str) -> None:
        """Do a service until it is over."""
        self.asked.append(service)
        name, _, command = service.partition(":")
        if name == "sync":
            await Sync(self, stream).run()
        elif name == "exec":
            await self._command(command, Raw(stream))
        elif "v2" in name.split(","):
            await self._command(command, Packets(stream))
        elif name == "shell":
            await self._command(command, Terminal(stream))

    def path(self, there: str) -> Path:
        """The file of this machine behind a path of the phone.

        Raises:
            PermissionError: It is outside of the home.
        """
        clean = os.path.normpath(there)
        if os.path.commonpath([clean, self.home_there]) != self.home_there:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), there)
        return self.home / os.path.relpath(clean, self.home_there)

    async def _command(self, command: str, pipes: Raw) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(*self.enter, "sh", "-c", command),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe if pipes.split else asyncio.subprocess.STDOUT,
            env=self.env,
            cwd=self.home,
            start_new_session=True,
        )
        feeding = asyncio.create_task(pipes.feed(process))
        try:
            await pipes.drain(process)
            await pipes.finish(await process.wait())
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """As a phone does whose host is gone: the command's input ends. Then it is killed."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 1.0)
    except asyncio.TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class Raw:
    """`exec:`: input, output and errors are the stream's bytes."""

    split = False

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    async def feed(self, process: asyncio.subprocess.Process) -> None:
        """Bring the host's bytes to the command's standard input."""
        assert process.stdin is not None
        try:
            while data := await self.read():
                process.stdin.write(data)
                await process.stdin.drain()
        except (EOFError, ConnectionError):
            pass
        process.stdin.close()

    async def read(self) -> bytes:
        """Bytes for standard input; none at the end."""
        return await self.stream.read()

    async def drain(self, process: asyncio.subprocess.Process) -> None:
        """Bring the command's output to the host."""
        pipes = [(process.stdout, _STDOUT), (process.stderr, _STDERR)]
        await asyncio.gather(*(self._pipe(pipe, kind) for pipe, kind in pipes if pipe))

    async def _pipe(self, pipe: asyncio.StreamReader, kind: int) -> None:
        while data := await pipe.read(_READ):
            await self.write(kind, data)

    async def write(self, kind: int, data: bytes) -> None:
        """Output of the command."""
        await self.stream.write(data)

    async def finish(self, code: int) -> None:
        """The command has ended."""


class Terminal(Raw):
    """`shell:` of an old phone: a terminal, which turns every line end into two bytes."""

    async def write(self, kind: int, data: bytes) -> None:
        """Output of the command."""
        await self.stream.write(data.replace(b"\n", b"\r\n"))


class Packets(Raw):
    """`shell,v2:` since Android 7: input, output, errors and exit code in packets of their own."""

    split = True

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._one_at_a_time = asyncio.Lock()

    async def read(self) -> bytes:
        """Bytes for standard input; none at the end."""
        while True:
            header = await self.stream.read_exactly(_PACKET.size)
            kind, size = _PACKET.unpack(header)
            data = await self.stream.read_exactly(size)
            if kind == _CLOSE_STDIN:
                return b""
            if kind == _STDIN and data:
                return data

    async def write(self, kind: int, data: bytes) -> None:
        """Output of the command."""
        async with self._one_at_a_time:
            await self.stream.write(_PACKET.pack(kind, len(data)) + data)

    async def finish(self, code: int) -> None:
        """The command has ended; one that died of a signal gets 128 and its number."""
        await self.write(_EXIT, bytes([code if code >= 0 else 128 - code]))


class Sync:
    """`sync:`: files (Android's SYNC.TXT, version 1)."""

    def __init__(self, services: Services, stream: Stream) -> None:
        self._services, self._stream = services, stream

    async def run(self) -> None:
        """Do what is asked until the host is done."""
        steps = {b"STAT": self._stat, b"LIST": self._list, b"SEND": self._send, b"RECV": self._recv}
        while True:
            name, size = _REQUEST.unpack(await self._stream.read_exactly(_REQUEST.size))
            if name == b"QUIT":
                return
            argument = (await self._stream.read_exactly(size)).decode()
            try:
                await steps[name](argument)
            except OSError as error:
                message = (error.strerror or str(error)).encode()
                await self._stream.write(_REQUEST.pack(b"FAIL", len(message)) + message)

    async def _stat(self, path: str) -> None:
        try:
            found = self._services.path(path).stat()
        except OSError:
            answer = (0, 0, 0)
        else:
            answer = (found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime))
        await self._stream.write(b"STAT" + struct.pack("<3I", *answer))

    async def _list(self, path: str) -> None:
        for entry in sorted(self._services.path(path).iterdir()):
            found, name = entry.lstat(), entry.name.encode()
            facts = (found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime), len(name))
            await self._stream.write(b"DENT" + struct.pack("<4I", *facts) + name)
        await self._stream.write(b"DONE" + bytes(16))

    async def _recv(self, path: str) -> None:
        with self._services.path(path).open("rb") as file:
            while data := file.read(_READ):
                await self._stream.write(_REQUEST.pack(b"DATA", len(data)) + data)
        await self._stream.write(_REQUEST.pack(b"DONE", 0))

    async def _send(self, argument: str) -> None:
        path, _, mode = argument.rpartition(",")
        try:
            await self._write(self._services.path(path), int(mode) & 0o777)
        except OSError:
            # A phone hears the sender out before it complains.
            while await self._data():
                pass
            raise
        await self._stream.write(_REQUEST.pack(b"OKAY", 0))

    async def _write(self, target: Path, mode: int) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            while data := await self._data():
                file.write(data[: self._fits(len(data))])
        target.chmod(mode)

    async def _data(self) -> bytes:
        name, size = _REQUEST.unpack(await self._stream.read_exactly(_REQUEST.size))
        # After DONE comes a time, not a size.
        return await self._stream.read_exactly(size) if name == b"DATA" else b""

    def _fits(self, size: int) -> int:
        room = self._services.faults.room
        if room is None:
            return size
        if room < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._services.faults.room = room - size
        return size
