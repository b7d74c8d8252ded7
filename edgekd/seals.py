"""Seals: how a file that is kept shows that it is still what was written.

What only edgekd reads (caches, training checkpoints, journals) is a *sealed file*: the content, and
behind it one line with the hash of its purpose, and that of both. Readers that know nothing of
it, `numpy.load` among them, stop before that line. The purpose is whatever the content depends on:
a file of another run, renamed, does not pass for one's own.

What others read too (the folder of a run) is a *sealed folder*: plain files, and `seal.json`,
written last, with the size and SHA-256 of each.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from edgekd.errors import ArtefactError
from edgekd.files import atomic_write, pretty_json, sha256_of, write_atomically

__all__ = [
    "MISSING",
    "SEAL",
    "STRANGE",
    "Seal",
    "clear_place",
    "flaw_of",
    "flaws_of",
    "is_whole",
    "keep",
    "keep_bytes",
    "read_checked",
    "read_kept",
    "read_sealed",
    "seal",
    "seal_files",
    "unseal_files",
    "write_sealed",
]

MISSING = "is missing"
STRANGE = "was kept for something else"

_HINT = "copy the whole folder again, or train again"
_log = logging.getLogger("edgekd")


# Sealed files ------------------------------------------------------------------------------

_MAGIC = b"\nedgekd-seal-1 "
_LENGTH = len(_MAGIC) + 64 + 1 + 64 + 1

_Stamp = tuple[str, str, int, int, int, int, int]
_found_whole: set[_Stamp] = set()
"""Files that this process has hashed; a cache of gigabytes is read through once."""


def seal(file: Path, purpose: str) -> None:
    """Seal a file that has just been written, in its place beside the one that it will have."""
    digest = sha256_of(file)
    with file.open("ab") as stream:
        stream.write(_line(_hex(purpose), digest))


def write_sealed(path: Path, content: bytes, purpose: str) -> None:
    """Write `content` to `path` with its seal, or leave what was there."""
    with atomic_write(path) as beside:
        beside.write_bytes(content)
        seal(beside, purpose)


def flaw_of(path: Path, purpose: str | None) -> str | None:
    """What is wrong with a sealed file; None where it is whole.

    Args:
        path: Where it is.
        purpose: What its content depends on; None takes any.

    Returns:
        `MISSING`, `STRANGE`, or words for a damage, to stand behind the file's name.
    """
    if path.is_dir():
        return "is a folder"
    try:
        with path.open("rb") as stream:
            return _flaw(stream, path, purpose)
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def read_sealed(path: Path, purpose: str) -> bytes:
    """The content of a sealed file.

    Raises:
        ArtefactError: It is not there, damaged, or of another purpose.
    """
    flaw = flaw_of(path, purpose)
    if flaw is not None:
        raise ArtefactError(f"{path} {flaw}", "remove it: it is made again")
    return path.read_bytes()[:-_LENGTH]


def keep(path: Path, purpose: str, make: Callable[[Path], None]) -> Path:
    """The sealed file at `path`, made where it is not there; where it is damaged, that is told.

    Args:
        path: Where it is kept.
        purpose: What its content depends on.
        make: Writes the content to the place that it is given.
    """
    flaw = flaw_of(path, purpose)
    if flaw is None:
        return path
    if flaw != MISSING:
        _log.warning("%s %s; made again", path, flaw)
        clear_place(path, folders_only=True)
    with atomic_write(path) as beside:
        make(beside)
        seal(beside, purpose)
    return path


def keep_bytes(path: Path, purpose: str, make: Callable[[], bytes]) -> bytes:
    """The content of the sealed file at `path`, see `keep`."""
    content = read_kept(path, purpose)
    if content is None:
        content = make()
        write_sealed(path, content, purpose)
    return content


def read_kept(path: Path, purpose: str) -> bytes | None:
    """The content of a sealed file; None where there is none, or, which is told, a damaged one."""
    flaw = flaw_of(path, purpose)
    if flaw is None:
        return read_sealed(path, purpose)
    if flaw != MISSING:
        _log.warning("%s %s; made again", path, flaw)
        clear_place(path)
    return None


def clear_place(path: Path, *, folders_only: bool = False) -> None:
    """Remove what is at a place of edgekd's own, file or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif not folders_only:
        path.unlink(missing_ok=True)


def _flaw(stream: BinaryIO, path: Path, purpose: str | None) -> str | None:
    facts = os.fstat(stream.fileno())
    stamp = (
        str(path), purpose or "", facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns,
        facts.st_ctime_ns,
    )  # fmt: skip
    if stamp in _found_whole:
        return None
    length = facts.st_size - _LENGTH
    stream.seek(max(length, 0))
    line = stream.read()
    if length < 0 or line[: len(_MAGIC)] != _MAGIC:
        return "is cut off, or not sealed"
    found = line[len(_MAGIC) : len(_MAGIC) + 64]
    if purpose is not None and found != _hex(purpose):
        return STRANGE
    if line != _line(found, _digest(stream, length)):
        return "is not what was written"
    _found_whole.add(stamp)
    return None


def _line(purpose: bytes, digest: str) -> bytes:
    both = hashlib.sha256(purpose + digest.encode()).hexdigest().encode()
    return b"%s%s %s\n" % (_MAGIC, purpose, both)


def _hex(purpose: str) -> bytes:
    return hashlib.sha256(purpose.encode()).hexdigest().encode()


def _digest(stream: BinaryIO, length: int) -> str:
    digest = hashlib.sha256()
    stream.seek(0)
    while length > 0 and (block := stream.read(min(length, 1 << 20))):
        digest.update(block)
        length -= len(block)
    return digest.hexdigest()


# Sealed folders ----------------------------------------------------------------------------

SEAL = "seal.json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a sealed folder."""

    sha256: str
    size: int


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """`seal.json`: the files of a folder as they were when the last of them was written."""

    format_version: str = "1.0"
    files: dict[str, Entry]


def seal_files(folder: Path, names: Iterable[str]) -> None:
    """Seal some files of a folder; the entries of its other files stay as they are."""
    known = _read_seal(folder)
    files = dict(known.files) if isinstance(known, Seal) else {}
    for name in names:
        file = folder / name
        files[name] = Entry(sha256=sha256_of(file), size=file.stat().st_size)
    write_atomically(folder / SEAL, pretty_json(Seal(files=files)))


def unseal_files(folder: Path, names: Iterable[str] | None = None) -> None:
    """Take some files out of a folder's seal, or all: they are about to change."""
    known = _read_seal(folder)
    if names is None or not isinstance(known, Seal):
        clear_place(folder / SEAL)
        return
    files = {name: entry for name, entry in known.files.items() if name not in set(names)}
    write_atomically(folder / SEAL, pretty_json(Seal(files=files)))


def flaws_of(folder: Path) -> dict[str, str]:
    """What is wrong with the files of a sealed folder, by name; empty where all are whole.

    A folder whose seal is missing or damaged has that one flaw, under the seal's own name.
    """
    known = _read_seal(folder)
    if isinstance(known, str):
        return {SEAL: known}
    found = {name: _entry_flaw(folder / name, entry) for name, entry in known.files.items()}
    return {name: flaw for name, flaw in found.items() if flaw is not None}


def is_whole(folder: Path) -> bool:
    """Whether a sealed folder of edgekd's own is there; one that is damaged is told and removed."""
    if not folder.exists():
        return False
    flaws = flaws_of(folder)
    for name, flaw in flaws.items():
        _log.warning("%s %s; made again", folder / name, flaw)
    if flaws:
        clear_place(folder)
    return not flaws


def read_checked(file: Path) -> bytes:
    """The bytes of a file, held against the seal of its folder where there is one.

    Folders of earlier versions, and models that others wrote, have none.

    Raises:
        ArtefactError: The file or the seal is damaged, or a file that was sealed is missing.
        OSError: The file cannot be read.
    """
    known = _read_seal(file.parent)
    if known == MISSING:
        return file.read_bytes()
    if isinstance(known, str):
        raise ArtefactError(f"{file.parent / SEAL} {known}", _HINT)
    entry = known.files.get(file.name)
    flaw = None if entry is None else _entry_flaw(file, entry)
    if flaw is not None:
        raise ArtefactError(f"{file} {flaw}", _HINT)
    return file.read_bytes()


def _read_seal(folder: Path) -> Seal | str:
    """The seal, or what is wrong with it."""
    try:
        return msgspec.json.decode((folder / SEAL).read_bytes(), type=Seal)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "is damaged"


def _entry_flaw(file: Path, entry: Entry) -> str | None:
    if file.is_dir():
        return "is a folder"
    try:
        size = file.stat().st_size
        whole = size == entry.size and sha256_of(file) == entry.sha256
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if whole else _size_flaw(size, entry)


def _size_flaw(size: int, entry: Entry) -> str:
    if size < entry.size:
        return f"has {size} of its {entry.size} bytes"
    return "is not what was written"
