"""Files that appear whole or not at all: written beside their place, then renamed into it.

A process that is killed leaves what was there before, and what it had written beside, under a
hidden name; the next one that writes to the same place removes that.

What only writing needs is imported where it is used: a device reads, and starts the sooner.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import InputError

__all__ = [
    "cache_folder",
    "make_folder",
    "pretty_json",
    "scratch_folder",
    "sha256_of",
    "whole_file",
    "whole_folder",
    "write_whole",
]


def cache_folder() -> Path:
    """The user's cache: `EDGEKD_CACHE`, else `edgekd` below `XDG_CACHE_HOME` or `~/.cache`."""
    if own := os.environ.get("EDGEKD_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekd"


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


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`, or leave what was there."""
    with whole_file(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it becomes `path` when the block ends without error."""
    _make_parent(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file", "choose another place for the output")
    beside = _beside(path)
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`; it takes the place of `path` when the block ends well."""
    _make_parent(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file, not a folder", "choose another place for the output")
    beside = _beside(path)
    beside.mkdir()
    try:
        yield beside
        _replace_folder(beside, path)
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


def _replace_folder(new: Path, path: Path) -> None:
    """Rename `new` to `path`; what was there is removed afterwards."""
    if not path.exists():
        new.rename(path)
    elif not _exchanged(new, path):
        _set_aside(new, path)


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
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}")


def _machine() -> str:
    """Processes are known by number on their own machine only; folders may be shared."""
    import socket

    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _sweep(path: Path) -> None:
    """Remove what processes of this machine that are no more left beside `path`."""
    import glob

    for left in path.parent.glob(f".{glob.escape(path.name)}.{_machine()}-*-*"):
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
        raise InputError(message, "choose another place for the output") from error


def _make_parent(path: Path) -> None:
    make_folder(path.parent)
