"""What a run cost: wall clock and processor time, summed over all nights that it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
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
def metered(file: Path, made: Path) -> Iterator[None]:
    """Add a session to the cost in `file`, and write it again and again while the block runs.

    A session that found its work done already is not kept.

    Args:
        file: The file of the cost.
        made: What the work makes last: where it is there afterwards as it was before, nothing was
            done, unless the block was interrupted.
    """
    earlier, before = cost_in(file), _stamp(made)
    session = _started()
    over = threading.Event()

    def write_often() -> None:
        while not over.wait(_PERIOD):
            _write(file, earlier, session())

    thread = threading.Thread(target=write_often, daemon=True)
    thread.start()
    done = False
    try:
        yield
        done = before is not None and _stamp(made) == before
    finally:
        over.set()
        thread.join()
        _write(file, earlier, None if done else session())


def _started() -> Callable[[], Session]:
    """Gives the session that begins now, as far as it has come."""
    begin = (time.perf_counter(), time.process_time())
    machine = {key: value for key, value in local_facts().items() if key in _FACTS}

    def session() -> Session:
        return Session(
            wall_seconds=time.perf_counter() - begin[0],
            processor_seconds=time.process_time() - begin[1],
            machine=machine,
        )

    return session


def _write(file: Path, earlier: Cost, session: Session | None) -> None:
    sessions = (*earlier.sessions, *((session,) if session else ()))
    if sessions or file.is_file():
        write_atomically(file, pretty_json(Cost(sessions=sessions)))


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
