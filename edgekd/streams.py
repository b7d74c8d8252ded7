"""Outputs that are written to instead of replaced: terminals, pipes, devices, open files.

`/dev/stdout`, `/dev/fd/63` (a shell's `>(program)`) and similar paths name an open file of this
process; every other path is opened by its name.
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
_MOST_LINKS = 40  # as many as Linux follows: path_resolution(7)


def is_stream(path: Path) -> bool:
    """Whether `path` is a terminal, pipe, device or open file, which is written to, not replaced.

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
    """Open a stream for writing, after flushing the standard streams of this process."""
    for standard in (sys.stdout, sys.stderr):
        if standard is not None:
            standard.flush()
    open_file = _descriptor_of(path)
    number = os.open(path, os.O_WRONLY | os.O_NOCTTY) if open_file is None else os.dup(open_file)
    with os.fdopen(number, "wb") as stream:
        yield stream


@contextlib.contextmanager
def passed_on(path: Path) -> Iterator[Path]:
    """Yield a temporary path; its content is copied to the stream when the block ends."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
        output = Path(folder, "output")
        yield output
        with output.open("rb") as written, open_stream(path) as stream:
            shutil.copyfileobj(written, stream)


def printable(text: str) -> str:
    """The text with control characters escaped, since file names may contain terminal codes.

    Bytes that are not UTF-8, which Python represents as surrogates, are unchanged.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else c.encode("unicode_escape").decode()
        for c in text
    )


def _descriptor_of(path: Path) -> int | None:
    """The descriptor of this process's open file that `path` names; None for any other path.

    The descriptor is duplicated rather than opened again: a socket cannot be opened by name, and
    a file (`> file`) may have other writers.
    """
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        match = _OPEN_FILES.fullmatch(folder)
        if match and path.name.isdecimal() and match[1] in (None, str(os.getpid())):
            return int(path.name)
        try:
            path = Path(folder, path.readlink())
        except (OSError, ValueError):  # not a link
            return None
    return None
