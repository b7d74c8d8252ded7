"""What a run cost: wall clock and processor time, summed over all nights that it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edgekd.bench.measure.machine import local_facts
from edgekd.files import pretty_json, write_atomically

__all__ = ["Cost", "Session", "cost_in", "metered"]

_PERIOD = 20.0  # seconds between two writes: as much is lost where a process is killed
_FACTS = ("cpu", "cores_usable", "ram_bytes", "system")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One process that worked on a run.

    Attributes:
        wall_seconds: By the clock.
        processor_seconds: Of all threads of the process.
        machine: The machine.
    """

    wall_seconds: float
    processor_seconds: float
    machine: dict[str, str | int]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """All sessions of a run."""

    sessions: tuple[Session, ...] = ()

    @property
    def wall_hours(self) -> float:
        """By the clock."""
        return sum(session.wall_seconds for session in self.sessions) / 3600

    @property
    def processor_hours(self) -> float:
        """Of all threads."""
        return sum(session.processor_seconds for session in self.sessions) / 3600


def cost_in(file: Path) -> Cost:
    """The cost so far; nothing where the file is missing or damaged."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Cost)
    except (OSError, msgspec.DecodeError):
        return Cost()


@contextmanager
def metered(file: Path) -> Iterator[None]:
    """Add a session to the cost in `file`, and write it again and again while the block runs."""
    earlier, begin = cost_in(file).sessions, (time.perf_counter(), time.process_time())
    machine = {key: value for key, value in local_facts().items() if key in _FACTS}
    over = threading.Event()

    def write() -> None:
        session = Session(
            wall_seconds=time.perf_counter() - begin[0],
            processor_seconds=time.process_time() - begin[1],
            machine=machine,
        )
        write_atomically(file, pretty_json(Cost(sessions=(*earlier, session))))

    def write_often() -> None:
        while not over.wait(_PERIOD):
            write()

    thread = threading.Thread(target=write_often, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write()
