"""Locks: one process at a time writes to a place.

The kernel lets go of a lock when its process ends, however it ends: none is left over.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from edgekd.errors import InputError, MissingDependencyError
from edgekd.files import make_folder

__all__ = ["only_writer"]


_PATIENCE = 0.3  # seconds: another may only have looked whether the place is free


class _Holder(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    host: str
    since: str


@contextlib.contextmanager
def only_writer(place: Path, what: str) -> Iterator[None]:
    """Hold `place` while the block runs, by a hidden file that goes with the block.

    Args:
        place: The file or folder that is about to be written.
        what: What the holder does there, for the other one's message: "trained", "built".

    Raises:
        InputError: Another process holds it; who, where and since when is told.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise MissingDependencyError("filelock", "distill", "write to a run's folder") from error
    new = [parent for parent in place.absolute().parents if not parent.exists()]
    make_folder(place.parent)
    file = _lock_of(place.resolve())
    lock = FileLock(file, timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise _held(file, place, what) from None
    except OSError as error:
        message = f"{place} cannot be locked: {error.strerror or error}"
        raise InputError(message, "choose another place for the output") from error
    try:
        file.write_bytes(msgspec.json.encode(_this_process()))
        yield
    finally:
        file.unlink(missing_ok=True)  # while it is held: who opened it meanwhile finds it gone
        lock.release()
        for folder in new:  # where nothing came of it
            with contextlib.suppress(OSError):
                folder.rmdir()


def _lock_of(place: Path) -> Path:
    """Beside the place; inside it where it is all that may be written, as a container's volume."""
    if os.access(place.parent, os.W_OK) or not place.is_dir():
        return place.with_name(f".{place.name}.lock")
    return place / ".lock"


def _this_process() -> _Holder:
    since = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return _Holder(pid=os.getpid(), host=socket.gethostname(), since=since)


def _held(file: Path, place: Path, what: str) -> InputError:
    try:
        holder = msgspec.json.decode(file.read_bytes(), type=_Holder)
        who = f"process {holder.pid} on {holder.host}, since {holder.since}"
    except (OSError, ValueError, RecursionError):  # it is just about to write who it is
        who = "another process"
    message = f"{place} is being {what} already by {who}"
    return InputError(message, "wait for it, end it, or choose another --out")
