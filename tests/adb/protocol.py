"""The device's side of adb's protocol: messages, streams, and the handshake.

As Android's `packages/modules/adb/protocol.txt` tells it. No TLS, no USB: TCP on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

CHECKED = 0x01000000
"""The protocol's version up to Android 8: every message carries the sum of its bytes."""

UNCHECKED = 0x01000001
"""Its version since Android 9: no sums."""

_HEADER = struct.Struct("<4s5I")
_TOKEN, _SIGNATURE = 1, 2


@dataclass
class Faults:
    """What goes wrong with a phone. All of it can be changed while it runs.

    Attributes:
        cut_after: Bytes from the host after which the connection breaks, once; None never.
        locked: It asks its owner whether this computer may debug it, and gets no answer.
        mute: It takes the connection and says nothing.
        pause: Seconds before each message to the host: a slow cable.
        room: Bytes that still fit on its disk; None is as many as one likes.
    """

    cut_after: int | None = None
    locked: bool = False
    mute: bool = False
    pause: float = 0.0
    room: int | None = None


class Message(NamedTuple):
    """One message of the protocol."""

    command: bytes
    first: int
    second: int
    data: bytes


class CutError(Exception):
    """The connection is broken on purpose."""


class Connection:
    """One host at the other end of a socket.

    Args:
        reader: From the host.
        writer: To the host.
        banner: What the phone says of itself, features included.
        faults: What goes wrong.
        serve: Does a service (`shell:ls`) on a stream until it is over.
        version: `CHECKED` or `UNCHECKED`.
        max_data: Bytes of one message at most.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        banner: str,
        faults: Faults,
        serve: Callable[[Stream, str], Awaitable[None]],
        version: int,
        max_data: int,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._banner, self._faults, self._serve = banner, faults, serve
        self._version, self.max_data = version, max_data
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = 0

    async def run(self) -> None:
        """Talk until the host hangs up or the connection is cut."""
        try:
            while True:
                await self._take(await self._receive())
        except (asyncio.IncompleteReadError, ConnectionError, CutError):
            pass
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def hang_up(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()
        for stream in self._streams.values():
            stream.end()

    async def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        """One message to the host."""
        await asyncio.sleep(self._faults.pause)
        total = sum(data) & 0xFFFFFFFF if self._version == CHECKED else 0
        magic = int.from_bytes(command, "little") ^ 0xFFFFFFFF
        self._writer.write(_HEADER.pack(command, first, second, len(data), total, magic) + data)
        await self._writer.drain()

    async def _receive(self) -> Message:
        header = await self._reader.readexactly(_HEADER.size)
        command, first, second, size, total, magic = _HEADER.unpack(header)
        assert magic == int.from_bytes(command, "little") ^ 0xFFFFFFFF
        self._count(_HEADER.size + size)
        data = await self._reader.readexactly(size)
        # The very first message carries a sum even where both sides go on without.
        assert self._version != CHECKED or total == sum(data) & 0xFFFFFFFF
        return Message(command, first, second, data)

    def _count(self, received: int) -> None:
        if self._faults.cut_after is None:
            return
        self._faults.cut_after -= received
        if self._faults.cut_after < 0:
            self._faults.cut_after = None
            raise CutError

    async def _take(self, message: Message) -> None:
        if self._faults.mute:
            return
        if message.command in (b"CNXN", b"AUTH"):
            await self._greet(message)
        elif message.command == b"OPEN":
            await self._open(message)
        elif (stream := self._streams.get(message.second)) is None:
            return
        elif message.command == b"WRTE":
            stream.feed(message.data)
        elif message.command == b"OKAY":
            stream.acknowledge()
        elif message.command == b"CLSE":
            stream.end()

    async def let_in(self) -> None:
        """The host may do as it likes from now on."""
        await self.send(b"CNXN", self._version, self.max_data, self._banner.encode())

    async def _greet(self, message: Message) -> None:
        """Let the host in; a locked phone refuses every signature, then waits for its owner."""
        if not self._faults.locked:
            await self.let_in()
        elif message.command == b"CNXN" or message.first == _SIGNATURE:
            await self.send(b"AUTH", _TOKEN, 0, os.urandom(20))

    async def _open(self, message: Message) -> None:
        self._opened += 1
        stream = Stream(self, self._opened, message.first)
        self._streams[self._opened] = stream
        service = message.data.rstrip(b"\0").decode()
        await self.send(b"OKAY", stream.here, stream.there)
        task = asyncio.get_running_loop().create_task(self._work(stream, service))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, stream: Stream, service: str) -> None:
        try:
            with contextlib.suppress(EOFError, ConnectionError):  # the host has closed the stream
                await self._serve(stream, service)
        finally:
            del self._streams[stream.here]
            await self.send(b"CLSE", stream.here, stream.there)


class Stream:
    """One service in use: bytes both ways, each packet acknowledged before the next."""

    def __init__(self, connection: Connection, here: int, there: int) -> None:
        self.here, self.there = here, there
        self._connection = connection
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._left = b""
        self._free = asyncio.Event()
        self._free.set()
        self._ended = False

    def feed(self, data: bytes) -> None:
        """A packet has come."""
        self._incoming.put_nowait(data)

    def acknowledge(self) -> None:
        """The host has taken the last packet."""
        self._free.set()

    def end(self) -> None:
        """The host has closed the stream."""
        self._ended = True
        self._incoming.put_nowait(b"")
        self._free.set()

    async def read(self) -> bytes:
        """What is there, at least a byte; nothing at the end."""
        if not self._left and not (self._ended and self._incoming.empty()):
            self._left = await self._incoming.get()
            if not self._ended:
                await self._connection.send(b"OKAY", self.here, self.there)
        data, self._left = self._left, b""
        return data

    async def read_exactly(self, size: int) -> bytes:
        """That many bytes.

        Raises:
            EOFError: The host has closed the stream before.
        """
        data = b""
        while len(data) < size:
            more = await self.read()
            if not more:
                raise EOFError
            data += more
        data, self._left = data[:size], data[size:]
        return data

    async def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            EOFError: The host has closed the stream.
        """
        limit = self._connection.max_data
        for start in range(0, len(data), limit):
            await self._free.wait()
            if self._ended:
                raise EOFError
            self._free.clear()
            packet = data[start : start + limit]
            await self._connection.send(b"WRTE", self.here, self.there, packet)
