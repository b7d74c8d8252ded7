"""A phone that adb can reach: the daemon on a port of this machine, and a folder as its disk."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from adb.protocol import CHECKED, UNCHECKED, Connection, Faults
from adb.services import Services

_MAX_DATA = 16 * 1024


class Phone:
    """A stand-in for a phone. No number of time or power from it means anything.

    Args:
        folder: An empty or missing folder of this phone's own.
        old: As Android 6: no shell that splits its streams and tells the exit code, and every
            message with a sum.
        enter: Runs its arguments on the phone; nothing: commands run on this machine, with the
            phone's `bin` first in their path.
        home: The folder that the phone can write; `folder/home` by default.
        home_there: The same as its commands see it.

    Attributes:
        serial: What adb calls it.
        faults: What goes wrong; may be changed while it runs.
        asked: Every service that was asked for, in order.
        bin: Programs put there are found by the phone's commands.
    """

    def __init__(
        self,
        folder: Path,
        *,
        old: bool = False,
        enter: Sequence[str] = (),
        home: Path | None = None,
        home_there: str = "",
    ) -> None:
        self.home = home or folder / "home"
        self.bin = folder / "bin"
        for needed in (self.home, self.bin):
            needed.mkdir(parents=True, exist_ok=True)
        self.home_there = home_there or str(self.home)
        self.faults = Faults()
        env = None if enter else {"PATH": f"{self.bin}:{os.defpath}", "HOME": str(self.home)}
        self._services = Services(self.home, self.home_there, enter, env, self.faults)
        self.asked = self._services.asked
        self._version = CHECKED if old else UNCHECKED
        features = "cmd" if old else "cmd,shell_v2"
        self._banner = (
            f"device::ro.product.name=stand-in;ro.product.model=stand_in;features={features}"
        )
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self._talks: dict[asyncio.Task[None], Connection] = {}
        self.serial = ""

    def program(self, name: str, script: str) -> Path:
        """Put a shell script into the phone's `bin`."""
        file = self.bin / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    def start(self) -> None:
        """Listen on a free port of this machine."""
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """Break every connection and end every command."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def unlock(self) -> None:
        """Its owner allows whoever waits to debug it."""
        self.faults.locked = False
        asyncio.run_coroutine_threadsafe(self._unlock(), self._loop).result(10)

    async def _unlock(self) -> None:
        for connection in self._talks.values():
            await connection.let_in()

    def cut_when(self, file: Path) -> None:
        """Break every connection as soon as that file is there."""
        asyncio.run_coroutine_threadsafe(self._cut_when(file), self._loop)

    async def _cut_when(self, file: Path) -> None:
        while not file.exists():
            await asyncio.sleep(0.02)
        for connection in self._talks.values():
            connection.hang_up()

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.serial = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()
        await asyncio.sleep(0.05)  # whoever was let in just now is known by then
        for connection in self._talks.values():
            connection.hang_up()
        await asyncio.gather(*self._talks)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(
            reader,
            writer,
            banner=self._banner,
            faults=self.faults,
            serve=self._services.serve,
            version=self._version,
            max_data=_MAX_DATA,
        )
        task = asyncio.current_task()
        assert task is not None
        self._talks[task] = connection
        await connection.run()
        del self._talks[task]
