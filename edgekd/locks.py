"""Locks: one process at a time writes to a file or folder, and none removes what another uses.

The kernel releases a lock when its process ends, so that a crash leaves none behind.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import InputError, MissingDependencyError
from edgekd.files import make_folder
from edgekd.user_folders import cache_folder

__all__ = ["hold", "hold_kind", "kind_lock", "only_writer", "unless_held", "writer_in_turn"]


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
    FileLock, Timeout = _filelock()  # noqa: N806 - classes
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


@contextlib.contextmanager
def writer_in_turn(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Lock `file` while the block runs, after waiting for other processes that hold it.

    Args:
        file: The lock file, which stays.
        waiting: Called several times a second while another process holds the lock.

    Raises:
        InputError: The file cannot be made.
        MissingDependencyError: The package filelock is not installed.
    """
    FileLock, Timeout = _filelock()  # noqa: N806 - classes
    make_folder(file.parent)
    lock = FileLock(file, timeout=_PATIENCE)
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            waiting()
        except OSError as error:
            message = f"{file} cannot be locked: {error.strerror or error}"
            raise InputError(message, "make its folder writable") from error
    try:
        yield
    finally:
        lock.release()


def _filelock() -> tuple[type[Any], type[Exception]]:
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise MissingDependencyError("filelock", "distill", "write to a run's folder") from error
    return FileLock, Timeout


# What processes use ------------------------------------------------------------------------


def hold(file: Path) -> Callable[[], None]:
    """Say by a lock file that this process uses something, so that `unless_held` spares it.

    Several processes may hold the same file. Its modification time becomes the present.

    Returns:
        Ends the hold; the end of the process does it as well.

    Raises:
        InputError: The file's folder cannot be made.
    """
    while True:
        descriptor = _opened(file)
        if descriptor is None:  # of a cache that cannot be written, nothing can be removed
            return lambda: None
        _flock(descriptor, exclusive=False)
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)  # the file was removed between opening and locking
    with contextlib.suppress(OSError):
        os.utime(descriptor if os.utime in os.supports_fd else file)
    return lambda: os.close(descriptor)


_held_kinds: dict[Path, Callable[[], None]] = {}


def hold_kind(kind: str) -> None:
    """Keep all entries of one kind of the cache from being removed until this process ends."""
    file = kind_lock(kind)
    if file not in _held_kinds:
        _held_kinds[file] = hold(file)


def kind_lock(kind: str) -> Path:
    """The lock file of all entries of one kind of the cache."""
    return cache_folder() / f".{kind}.use"


@contextlib.contextmanager
def unless_held(file: Path) -> Iterator[bool]:
    """Whether no process holds `file`; while the block runs, none can begin to.

    The block may remove the file.
    """
    descriptor = _opened(file)
    if descriptor is None:
        yield False
        return
    try:
        yield _flock(descriptor, exclusive=True)
    finally:
        os.close(descriptor)


def _opened(file: Path) -> int | None:
    """The lock file opened; None where the file system is read only."""
    make_folder(file.parent)
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:  # its folder was removed in this moment
        return _opened(file)
    except OSError:
        return None


if sys.platform == "win32":

    def _flock(descriptor: int, *, exclusive: bool) -> bool:
        """Windows itself keeps open and mapped files from being removed."""
        del descriptor, exclusive
        return True

else:
    import fcntl

    def _flock(descriptor: int, *, exclusive: bool) -> bool:
        """Wait for a shared lock, or try to get the exclusive one; whether it was got."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
        except BlockingIOError:
            return False
        return True


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
