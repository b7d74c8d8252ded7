"""Atomic writing of files and folders: they are written under a hidden name, then renamed.

A process that is killed leaves the previous content in place, and its own half-written file under
a hidden name, which the next process that writes to the same place removes.

Only regular files are replaced; mode and owner are kept. A symbolic link stays, and its target is
replaced. Terminals, pipes, `/dev/null` and open files such as `/dev/stdout` are written to, once
all content is known.

Modules needed only for writing are imported inside the functions, so that devices, which only read,
start faster.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import InputError
from edgekd.streams import is_stream, open_stream, passed_on
from edgekd.user_folders import cache_folder

__all__ = [
    "atomic_write",
    "hidden_twin",
    "is_occupied",
    "make_folder",
    "pretty_json",
    "refuse_other_content",
    "resolve_links",
    "scratch_folder",
    "sha256_of",
    "whole_folder",
    "write_atomically",
]


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest, block = hashlib.sha256(), bytearray(1 << 16)
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(block):
            digest.update(memoryview(block)[:size])
    return digest.hexdigest()


def pretty_json(value: Any) -> bytes:
    """`value` (plain data or a msgspec struct) as indented JSON in UTF-8, with a final newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace the content of `path`; where that fails, its previous content stays.

    Raises:
        InputError: `path` is a folder, a disk or a socket, or its folder cannot be made.
    """
    raw = content.encode() if isinstance(content, str) else content
    if is_stream(path):
        with open_stream(path) as stream:
            stream.write(raw)
        return
    with atomic_write(path) as twin:
        twin.write_bytes(raw)


@contextlib.contextmanager
def atomic_write(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Yield a path to write to; it replaces `path` when the block ends without error.

    Args:
        path: The destination; see the module for links, devices and pipes.
        mode: Permission bits of the file. Default: those of the file that is replaced, or what
            the process's umask leaves for a new one.

    Raises:
        InputError: `path` is a folder, a disk or a socket, or its folder cannot be made.
    """
    if is_stream(path):
        with passed_on(path) as twin:
            yield twin
        return
    place = resolve_links(path)
    _make_parent(place)
    if place.is_dir():
        raise InputError(f"{path} is a folder, not a file", "choose another place for the output")
    twin = hidden_twin(place)
    try:
        _prepare(twin, place, mode)
        yield twin
        twin.replace(place)
    finally:
        twin.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder; it replaces `path` when the block ends without error.

    Where `path` is a symbolic link, its target is replaced.

    Raises:
        InputError: `path` is a file, or its parent folder cannot be made.
    """
    place = resolve_links(path)
    _make_parent(place)
    if place.exists() and not place.is_dir():
        raise InputError(f"{path} is a file, not a folder", "choose another place for the output")
    twin = hidden_twin(place)
    twin.mkdir()
    try:
        yield twin
        _replace_folder(twin, place)
    finally:
        _remove(twin)


def is_occupied(path: Path) -> bool:
    """Whether a file or a folder with anything in it is there, once all links are followed.

    Raises:
        InputError: The links form a cycle.
    """
    place = resolve_links(path)
    return place.exists() and (not place.is_dir() or any(place.iterdir()))


def refuse_other_content(folder: Path, kind: str, is_earlier: Callable[[Path], bool]) -> None:
    """Refuse a place where an output would replace anything but an earlier one of its kind.

    Args:
        folder: Where a command is to write.
        kind: Its output, such as "import".
        is_earlier: Whether a folder holds an earlier one.

    Raises:
        InputError: It is a file, or a folder with other content.
    """
    if is_occupied(folder) and not is_earlier(folder):
        message = f"{folder} is not empty, and holds no earlier {kind}"
        raise InputError(message, "choose another place for the output, or remove what is there")


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder next to `path`; it is removed when the block ends.

    The folder of a process that was killed is removed by the next block for the same `path`.
    """
    _make_parent(path)
    twin = hidden_twin(path)
    twin.mkdir()
    try:
        yield twin
    finally:
        _remove(twin)


def resolve_links(path: Path) -> Path:
    """The target of `path` once all symbolic links are followed; it need not exist.

    Raises:
        InputError: The links form a cycle.
    """
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        message = f"{path} is a symbolic link that leads nowhere: its links form a circle"
        raise InputError(message, "choose another place for the output")
    return place


def _prepare(twin: Path, place: Path, mode: int | None) -> None:
    """Set the mode of a file before it has content, since that may be secret to other users."""
    try:
        old = place.stat()
    except FileNotFoundError:
        old = None
    bits = mode if mode is not None else stat.S_IMODE(old.st_mode) if old else None
    if bits is None:
        return
    twin.touch(mode=0o600, exist_ok=False)
    if old and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(OSError):  # only root may give a file away
            os.chown(twin, old.st_uid, old.st_gid)
    twin.chmod(bits | stat.S_IWUSR)


def _replace_folder(new: Path, path: Path) -> None:
    """Rename `new` to `path`, and remove the folder that it replaces."""
    if not path.exists():
        new.rename(path)
    elif not _exchanged(new, path):
        _set_aside(new, path)


_LONGEST_NAME = 200
"""In bytes. File systems allow 255, and the name of a hidden twin is about thirty longer."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # Linux: <fcntl.h>, <stdio.h>


def _exchanged(new: Path, path: Path) -> bool:
    """Exchange two names atomically (renameat2); False where the system has no such call."""
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
    """Replace in two renames; a kill between them leaves the old folder under a hidden name."""
    old = hidden_twin(path)
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


def hidden_twin(path: Path) -> Path:
    """A new hidden name in the folder of `path`, with machine and process; old ones are removed."""
    import secrets

    _remove_stale(path)
    name = f".{_short(path.name)}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(name)


def _short(name: str) -> str:
    """A name cut so that the name of its hidden twin is not too long for the file system."""
    return os.fsdecode(os.fsencode(name)[:_LONGEST_NAME])


def _machine() -> str:
    """Six hex digits that identify this machine, since several may write to a shared folder."""
    import socket

    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _remove_stale(path: Path) -> None:
    """Remove hidden twins of `path` whose process, on this machine, has ended."""
    import glob

    for twin in path.parent.glob(f".{glob.escape(_short(path.name))}.{_machine()}-*-*"):
        if _is_running(twin.name.rsplit("-", 2)[1]):
            continue
        if twin.is_dir():
            _remove(twin)
        else:
            twin.unlink(missing_ok=True)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def make_folder(path: Path) -> None:
    """Make a folder and its parents; one that exists is left as it is.

    Raises:
        InputError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {path}: {error.strerror}"
        raise InputError(message, _another_place(path)) from error


def _another_place(path: Path) -> str:
    """A hint to choose another place; that of the cache is set by a variable, not an argument."""
    with contextlib.suppress(InputError):
        if path.is_relative_to(cache_folder()):
            return "set EDGEKD_CACHE to a folder that can be written"
    return "choose another place for the output"


def _make_parent(path: Path) -> None:
    make_folder(path.parent)
