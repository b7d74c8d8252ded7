"""Whether inputs can be read and outputs written, before a verb starts its work."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edgekd.errors import InputError
from edgekd.files import hidden_twin, resolve_links
from edgekd.streams import is_stream

__all__ = ["check_file_place", "check_folder_place", "check_input_place"]


def check_input_place(path: Path, kind: str, *, folder: bool | None = None, hint: str = "") -> None:
    """Refuse an input that is missing or unreadable. It is not opened, since it may be a pipe.

    Args:
        path: A file or a folder.
        kind: What the input is, for the message: "bundle", "recipe".
        folder: Whether a folder or a file is expected; None accepts either.
        hint: What to do where there is nothing; by default to check the path.

    Raises:
        InputError: It cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"there is no {kind} at {path}", hint or "check the path") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {why}", "check the path") from error
    is_folder = stat.S_ISDIR(mode)
    if folder is not None and is_folder != folder:
        kinds = ("folder", "file") if is_folder else ("file", "folder")
        raise InputError(f"{path} is a {kinds[0]}; a {kind} is a {kinds[1]}", "check the path")
    if not _is_permitted(path, os.R_OK | os.X_OK if is_folder else os.R_OK):
        message = f"cannot read {path}: {os.strerror(errno.EACCES)}"
        raise InputError(
            message, f"it should be a {kind}: ask its owner for the permission to read it"
        )


def check_file_place(path: Path) -> None:
    """Refuse an output file that `atomic_write` could not write, before the work that fills it.

    Raises:
        InputError: It is a folder or a disk, it or its folder is write-protected, its folder cannot
            be made, or the disk is full.
    """
    with _reporting_unwritable(path):
        if is_stream(path):
            _refuse_protected(path)
            return
        place = resolve_links(path)
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file")
        if _exists(place):
            _refuse_protected(place)
        _try_hidden_twin(place)


def check_folder_place(path: Path) -> None:
    """Refuse an output folder that could not be made or filled, before the work that fills it.

    Raises:
        InputError: It is a file, it is write-protected, it cannot be made, or the disk is full.
    """
    with _reporting_unwritable(path):
        place = resolve_links(path)
        if not _exists(place):
            _try_hidden_twin(place)
        elif place.is_dir():
            _try_hidden_twin(place / "any")
        else:
            raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder")


@contextlib.contextmanager
def _reporting_unwritable(path: Path) -> Iterator[None]:
    """Turn errors of the system into an InputError that names the output."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: the name contains a zero byte
        why = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot write {path}: {why}"
        raise InputError(message, "choose another place for the output") from error


def _exists(place: Path) -> bool:
    """Whether the file exists; unlike `Path.exists`, an impossible name is an error."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _refuse_protected(place: Path) -> None:
    """Respect write protection, although renaming in the folder could replace the file."""
    if not _is_permitted(place, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")


def _is_permitted(place: Path, mode: int) -> bool:
    return os.access(place, mode, effective_ids=os.access in os.supports_effective_ids)


def _try_hidden_twin(place: Path) -> None:
    """Try to write a file of one byte in the folder, or in its nearest parent that exists."""
    folder = place.parent
    while not _exists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder")
    twin = hidden_twin(folder / place.name)
    try:
        twin.write_bytes(b"\n")
    finally:
        twin.unlink(missing_ok=True)
