"""Files that appear whole or not at all: written beside their place, then renamed into it.

A process that is killed leaves what was there before, and what it had written beside, under a
hidden name; the next one that writes to the same place removes that.

Only a regular file is replaced, and it keeps its mode and its owner. A symbolic link stays, and
what it leads to is replaced. A terminal, a pipe, `/dev/null` or an open file such as `/dev/stdout`
is written to, once all that goes there is known.

What only writing needs is imported where it is used: a device reads, and starts the sooner.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import InputError
from edgekd.streams import is_stream, open_stream, passed_on

__all__ = [
    "atomic_write",
    "cache_folder",
    "check_file_place",
    "check_folder_place",
    "check_input_place",
    "config_folder",
    "make_folder",
    "pretty_json",
    "scratch_folder",
    "sha256_of",
    "whole_folder",
    "write_atomically",
]


def cache_folder() -> Path:
    """The user's cache: `EDGEKD_CACHE`, else `edgekd` below `XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        InputError: None of them is set, and the user has no home folder.
    """
    if own := os.environ.get("EDGEKD_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "edgekd"
    home = _home()
    if home is None:
        message = "this user has no home folder, so there is no place for the cache"
        raise InputError(message, "set EDGEKD_CACHE to a folder that can be written")
    return home / ".cache" / "edgekd"


def config_folder() -> Path | None:
    """The user's settings, below `XDG_CONFIG_HOME` or `~/.config`; None without a home."""
    if shared := os.environ.get("XDG_CONFIG_HOME"):
        return Path(shared) / "edgekd"
    home = _home()
    return None if home is None else home / ".config" / "edgekd"


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a user that the system does not know, as in a container
        return None


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest, block = hashlib.sha256(), bytearray(1 << 16)
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(block):
            digest.update(memoryview(block)[:size])
    return digest.hexdigest()


def pretty_json(value: Any) -> bytes:
    """`value`, plain or typed, as indented JSON that ends in a newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`, or leave what was there."""
    raw = content.encode() if isinstance(content, str) else content
    if is_stream(path):
        with open_stream(path) as stream:
            stream.write(raw)
        return
    with atomic_write(path) as beside:
        beside.write_bytes(raw)


@contextlib.contextmanager
def atomic_write(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """A path to write to; what it holds becomes `path` when the block ends without error.

    Args:
        path: Where it goes; see the module for links, devices and pipes.
        mode: Permissions of the file. By default those of the file that is replaced; of a new one,
            what the process's umask leaves.
    """
    if is_stream(path):
        with passed_on(path) as beside:
            yield beside
        return
    place = _place_of(path)
    _make_parent(place)
    if place.is_dir():
        raise InputError(f"{path} is a folder, not a file", "choose another place for the output")
    beside = _beside(place)
    try:
        _prepare(beside, place, mode)
        yield beside
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`; it takes the place of `path` when the block ends well.

    Where `path` is a symbolic link, it takes the place of what the link leads to.
    """
    place = _place_of(path)
    _make_parent(place)
    if place.exists() and not place.is_dir():
        raise InputError(f"{path} is a file, not a folder", "choose another place for the output")
    beside = _beside(place)
    beside.mkdir()
    try:
        yield beside
        _replace_folder(beside, place)
    finally:
        _remove(beside)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` that goes with the block.

    What a process that was killed left goes with the next block for the same `path`.
    """
    _make_parent(path)
    beside = _beside(path)
    beside.mkdir()
    try:
        yield beside
    finally:
        _remove(beside)


def _place_of(path: Path) -> Path:
    """Where the bytes of `path` are: the end of its chain of links, be it there or not.

    Raises:
        InputError: The links lead to one another.
    """
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        message = f"{path} is a symbolic link that leads nowhere: its links form a circle"
        raise InputError(message, "choose another place for the output")
    return place


def _prepare(beside: Path, place: Path, mode: int | None) -> None:
    """Give a file its mode before its content, which others may not be meant to read."""
    try:
        old = place.stat()
    except FileNotFoundError:
        old = None
    wanted = mode if mode is not None else stat.S_IMODE(old.st_mode) if old else None
    if wanted is None:
        return
    beside.touch(mode=0o600, exist_ok=False)
    if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(OSError):  # only root may give a file away
            os.chown(beside, old.st_uid, old.st_gid)
    beside.chmod(wanted | stat.S_IWUSR)


def _replace_folder(new: Path, path: Path) -> None:
    """Rename `new` to `path`; what was there is removed afterwards."""
    if not path.exists():
        new.rename(path)
    elif not _exchanged(new, path):
        _set_aside(new, path)


_LONGEST_NAME = 200
"""Bytes; file systems allow 255, and a hidden twin has some thirty more."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux, <fcntl.h>, <stdio.h>


def _exchanged(new: Path, path: Path) -> bool:
    """Let two names change places, in one step that no kill can halve; False where unknown."""
    import ctypes

    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # an older C library
        return False
    places = _AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(path)
    return bool(rename(*places, _RENAME_EXCHANGE) == 0)  # file systems may refuse, e.g. NFS


def _set_aside(new: Path, path: Path) -> None:
    """Two renames where one is not to be had; a kill between them leaves the old one beside."""
    old = _beside(path)
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    _remove(old)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _beside(path: Path) -> Path:
    import secrets

    _sweep(path)
    own = f".{_short(path.name)}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(own)


def _short(name: str) -> str:
    """So much of a name that its hidden twin is not too long for the file system."""
    return os.fsdecode(os.fsencode(name)[:_LONGEST_NAME])


def _machine() -> str:
    """Processes are known by number on their own machine only; folders may be shared."""
    import socket

    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _sweep(path: Path) -> None:
    """Remove what processes of this machine that are no more left beside `path`."""
    import glob

    for left in path.parent.glob(f".{glob.escape(_short(path.name))}.{_machine()}-*-*"):
        if _is_running(left.name.rsplit("-", 2)[1]):
            continue
        if left.is_dir():
            _remove(left)
        else:
            left.unlink(missing_ok=True)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


def make_folder(path: Path) -> None:
    """Make a folder and its parents, or leave it where it is.

    Raises:
        InputError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {path}: {error.strerror}"
        raise InputError(message, _another_place(path)) from error


def _another_place(path: Path) -> str:
    """What a user can do, who did not name the cache and may not know of it."""
    with contextlib.suppress(InputError):
        if path.is_relative_to(cache_folder()):
            return "set EDGEKD_CACHE to a folder that can be written"
    return "choose another place for the output"


def _make_parent(path: Path) -> None:
    make_folder(path.parent)


# ---- before the work: whether a place can be written ----


def check_input_place(path: Path, what: str, *, folder: bool | None = None) -> None:
    """Refuse an input that is not there or may not be read; it is not opened, it may be a pipe.

    Args:
        path: A file or a folder.
        what: What it is to be, for people.
        folder: Whether that is a folder or a file; None where it may be either.

    Raises:
        InputError: It cannot be read.
    """
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"there is no {what} at {path}", "check the path") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {why}", "check the path") from error
    found = stat.S_ISDIR(kind)
    if folder is not None and found != folder:
        kinds = ("folder", "file") if found else ("file", "folder")
        raise InputError(f"{path} is a {kinds[0]}; a {what} is a {kinds[1]}", "check the path")
    if not _may(path, os.R_OK | os.X_OK if found else os.R_OK):
        message = f"cannot read {path}: {os.strerror(errno.EACCES)}"
        raise InputError(message, f"it is to be a {what}: ask its owner for the right to read it")


def check_file_place(path: Path) -> None:
    """Refuse a place where `atomic_write` could not write, before anyone waits for what goes there.

    Raises:
        InputError: It is a folder or a disk, it or its folder may not be written, its folder cannot
            be made, or the disk is full.
    """
    with _unwritable_told(path):
        if is_stream(path):
            _refuse_protected(path)
            return
        place = _place_of(path)
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file")
        if _is_there(place):
            _refuse_protected(place)
        _try_beside(place)


def check_folder_place(path: Path) -> None:
    """Refuse a folder that could not be made or filled, before anyone waits for what goes there.

    Raises:
        InputError: It is a file, it may not be written, it cannot be made, or the disk is full.
    """
    with _unwritable_told(path):
        place = _place_of(path)
        if not _is_there(place):
            _try_beside(place)
        elif place.is_dir():
            _try_beside(place / "any")
        else:
            raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder")


@contextlib.contextmanager
def _unwritable_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # the second: a name that holds a zero byte
        why = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot write {path}: {why}"
        raise InputError(message, "choose another place for the output") from error


def _is_there(place: Path) -> bool:
    """Whether there is such a file; unlike `Path.exists`, a name that cannot be is an error."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _refuse_protected(place: Path) -> None:
    """Who protects a file thinks of the file, not of the right to rename within its folder."""
    if not _may(place, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")


def _may(place: Path, how: int) -> bool:
    return os.access(place, how, effective_ids=os.access in os.supports_effective_ids)


def _try_beside(place: Path) -> None:
    """Make the smallest file in the folder, or in the nearest one above it that is there."""
    folder = place.parent
    while not _is_there(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder")
    beside = _beside(folder / place.name)
    try:
        beside.write_bytes(b"\n")
    finally:
        beside.unlink(missing_ok=True)
