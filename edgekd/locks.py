"""Locks: one process at a time writes to a file or folder.

The kernel releases a lock when its process ends, so that a crash leaves none behind.
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


_PATIENCE = 0.3  # seconds: another process may hold the lock only to test whether it is free


class _Holder(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    host: str
    since: str


@contextlib.contextmanager
def only_writer(place: Path, action: str) -> Iterator[None]:
    """Lock `place` while the block runs, by a hidden lock file.

    Args:
        place: The file or folder that is about to be written.
        action: Participle for the message "is being … already": "trained", "built".

    Raises:
        InputError: Another process holds the lock; the message names process, host and time.
        MissingDependencyError: The package filelock is not installed.
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
        raise _locked_error(file, place, action) from None
    except OSError as error:
        message = f"{place} cannot be locked: {error.strerror or error}"
        raise InputError(message, "choose another place for the output") from error
    try:
        file.write_bytes(msgspec.json.encode(_this_process()))
        yield
    finally:
        file.unlink(missing_ok=True)  # before the release, so that waiting processes see it
        lock.release()
        for folder in new:  # remove those that are still empty
            with contextlib.suppress(OSError):
                folder.rmdir()


def _lock_of(place: Path) -> Path:
    """The lock file: next to the place, or inside it where only that is writable (a volume)."""
    if os.access(place.parent, os.W_OK) or not place.is_dir():
        return place.with_name(f".{place.name}.lock")
    return place / ".lock"


def _this_process() -> _Holder:
    since = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return _Holder(pid=os.getpid(), host=socket.gethostname(), since=since)


def _locked_error(file: Path, place: Path, action: str) -> InputError:
    try:
        holder = msgspec.json.decode(file.read_bytes(), type=_Holder)
        who = f"process {holder.pid} on {holder.host}, since {holder.since}"
    except (OSError, ValueError, RecursionError):  # the holder has not yet written its name
        who = "another process"
    message = f"{place} is being {action} already by {who}"
    return InputError(message, "wait for it, end it, or choose another --out")
