"""Outputs that are written to and not replaced: terminals, pipes, devices, files already open.

`/dev/stdout`, `/dev/fd/63` (a shell's `>(program)`) and their like name an open file of this
process; everything else is opened by its name.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edgekd.errors import InputError

__all__ = ["is_stream", "open_stream", "passed_on", "printable"]

_OPEN_FILES = re.compile(r"/dev/fd|/proc/(\d+)(/task/\d+)?/fd")
_MOST_LINKS = 40  # as Linux follows: path_resolution(7)


def is_stream(path: Path) -> bool:
    """Whether `path` is something to write to rather than to replace.

    Raises:
        InputError: It is a disk or a socket.
    """
    if _descriptor_of(path) is not None:
        return True
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
        what = "disk" if stat.S_ISBLK(kind) else "socket"
        raise InputError(f"{path} is a {what}, not a file", "choose another place for the output")
    return stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)


@contextlib.contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Write to a stream, after what this process has said so far."""
    for told in (sys.stdout, sys.stderr):
        if told is not None:
            told.flush()
    own = _descriptor_of(path)
    number = os.open(path, os.O_WRONLY | os.O_NOCTTY) if own is None else os.dup(own)
    with os.fdopen(number, "wb") as stream:
        yield stream


@contextlib.contextmanager
def passed_on(path: Path) -> Iterator[Path]:
    """A path in a folder of its own; what was written there goes to the stream in the end."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
        beside = Path(folder, "output")
        yield beside
        with beside.open("rb") as written, open_stream(path) as stream:
            shutil.copyfileobj(written, stream)


def printable(text: str) -> str:
    """The text with what would move a terminal's cursor escaped: names may hold anything.

    Bytes that are not UTF-8, which Python keeps as surrogates, stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else c.encode("unicode_escape").decode()
        for c in text
    )


def _descriptor_of(path: Path) -> int | None:
    """The number of this process's own open file that `path` names.

    It is written to as it is, not opened anew: it may be a socket, which cannot be, or a file
    (`> file`) that others write to as well.
    """
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        found = _OPEN_FILES.fullmatch(folder)
        if found and path.name.isdecimal() and found[1] in (None, str(os.getpid())):
            return int(path.name)
        try:
            path = Path(folder, path.readlink())
        except (OSError, ValueError):  # no link
            return None
    return None
