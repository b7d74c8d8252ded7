"""Seals: checksums that show whether a stored file still has the content that was written.

Files that only edgekd reads (caches, training checkpoints, journals) are *sealed files*: the
content, followed by one line with the SHA-256 of its purpose and the SHA-256 of purpose and
content. Readers that do not know seals, such as `numpy.load`, ignore that line. The purpose
is a text that names everything the content depends on, so that a renamed file of another run is
not accepted.

Folders that other programs read too (a run) are *sealed folders*: plain files, and `seal.json`,
written last, with the size and SHA-256 of each, and its own SHA-256.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Literal

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
_verified: set[_Stamp] = set()
"""Files that this process has verified, so that a cache of gigabytes is hashed once."""


def seal(file: Path, purpose: str) -> None:
    """Append the seal to a file that has just been written and is not yet in its final place."""
    digest = sha256_of(file)
    with file.open("ab") as stream:
        stream.write(_line(_hex(purpose), digest))


def write_sealed(path: Path, content: bytes, purpose: str) -> None:
    """Write `content` and its seal to `path`; where that fails, the previous file stays."""
    with atomic_write(path) as twin:
        twin.write_bytes(content)
        seal(twin, purpose)


def flaw_of(path: Path, purpose: str | None) -> str | None:
    """Verify a sealed file.

    Args:
        path: The file.
        purpose: The expected purpose; None accepts any.

    Returns:
        None for an intact file. Otherwise `MISSING`, `STRANGE`, or a description of the damage:
        a predicate that follows the file's name in a message.
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
    """The content of a sealed file, without its seal.

    Raises:
        ArtefactError: The file is missing, damaged, or of another purpose.
    """
    flaw = flaw_of(path, purpose)
    if flaw is not None:
        raise ArtefactError(f"{path} {flaw}", "remove it: it is made again")
    return path.read_bytes()[:-_LENGTH]


def keep(path: Path, purpose: str, make: Callable[[Path], None]) -> Path:
    """Make the sealed file `path` if it is missing or damaged, and return `path`.

    A damaged file is logged as a warning.

    Args:
        path: The file.
        purpose: Names everything that the content depends on.
        make: Writes the content to the path that it is called with.
    """
    flaw = flaw_of(path, purpose)
    if flaw is None:
        return path
    if flaw != MISSING:
        _log.warning("%s %s; made again", path, flaw)
        clear_place(path, folders_only=True)
    with atomic_write(path) as twin:
        make(twin)
        seal(twin, purpose)
    return path


def keep_bytes(path: Path, purpose: str, make: Callable[[], bytes]) -> bytes:
    """The content of the sealed file at `path`, which is made where necessary: see `keep`."""
    content = read_kept(path, purpose)
    if content is None:
        content = make()
        write_sealed(path, content, purpose)
    return content


def read_kept(path: Path, purpose: str) -> bytes | None:
    """The content of a sealed file; None where it is missing, or damaged, which is logged."""
    flaw = flaw_of(path, purpose)
    if flaw is None:
        return read_sealed(path, purpose)
    if flaw != MISSING:
        _log.warning("%s %s; made again", path, flaw)
        clear_place(path)
    return None


def clear_place(path: Path, *, folders_only: bool = False) -> None:
    """Remove a file or folder that edgekd wrote."""
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
    if stamp in _verified:
        return None
    length = facts.st_size - _LENGTH
    stream.seek(max(length, 0))
    line = stream.read()
    if length < 0 or line[: len(_MAGIC)] != _MAGIC:
        return "is cut off, or not sealed"
    sealed_purpose = line[len(_MAGIC) : len(_MAGIC) + 64]
    if purpose is not None and sealed_purpose != _hex(purpose):
        return STRANGE
    if line != _line(sealed_purpose, _digest(stream, length)):
        return "is not what was written"
    _verified.add(stamp)
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


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a sealed folder."""

    sha256: str
    size: int


class Seal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seal.json`: size and SHA-256 of the files of a folder when the last one was written.

    Attributes:
        format_version: Version of the format; "1.0" had no `sha256`.
        sha256: SHA-256 of `files` as JSON: without it, damage to an entry would be taken for damage
            to the entry's file.
        files: The files, by name.
    """

    format_version: Literal["1.0", "1.1"] = "1.0"
    sha256: str = ""
    files: dict[str, Entry]

    @classmethod
    def of(cls, files: dict[str, Entry]) -> Seal:
        """The seal of some files."""
        return cls(format_version="1.1", sha256=_sha256_of_entries(files), files=files)

    @property
    def whole(self) -> bool:
        """Whether the seal itself is what was written, as far as its format shows it."""
        sha256 = "" if self.format_version == "1.0" else _sha256_of_entries(self.files)
        return self.sha256 == sha256


def _sha256_of_entries(files: dict[str, Entry]) -> str:
    return hashlib.sha256(msgspec.json.encode(files)).hexdigest()


def seal_files(folder: Path, names: Iterable[str]) -> None:
    """Add or update the entries of some files in a folder's seal."""
    known = _read_seal(folder)
    files = dict(known.files) if isinstance(known, Seal) else {}
    for name in names:
        file = folder / name
        files[name] = Entry(sha256=sha256_of(file), size=file.stat().st_size)
    write_atomically(folder / SEAL, pretty_json(Seal.of(files)))


def unseal_files(folder: Path, names: Iterable[str] | None = None) -> None:
    """Remove some files, or all, from a folder's seal before they are changed."""
    known = _read_seal(folder)
    if names is None or not isinstance(known, Seal):
        clear_place(folder / SEAL)
        return
    files = {name: entry for name, entry in known.files.items() if name not in set(names)}
    write_atomically(folder / SEAL, pretty_json(Seal.of(files)))


def flaws_of(folder: Path) -> dict[str, str]:
    """Verify a sealed folder.

    Returns:
        A description of the damage of each damaged file, by name: see `flaw_of`. Empty for an
        intact folder. Where the seal itself is missing or damaged it is the only entry.
    """
    known = _read_seal(folder)
    if isinstance(known, str):
        return {SEAL: known}
    flaws = {name: _entry_flaw(folder / name, entry) for name, entry in known.files.items()}
    return {name: flaw for name, flaw in flaws.items() if flaw is not None}


def is_whole(folder: Path) -> bool:
    """Whether a sealed folder exists and is intact; a damaged one is logged and removed."""
    if not folder.exists():
        return False
    flaws = flaws_of(folder)
    for name, flaw in flaws.items():
        _log.warning("%s %s; made again", folder / name, flaw)
    if flaws:
        clear_place(folder)
    return not flaws


def read_checked(file: Path) -> bytes:
    """The bytes of a file, verified by the seal of its folder where the folder has one.

    Folders of earlier versions and models of other programs have no seal.

    Raises:
        ArtefactError: The file or the seal is damaged, or a sealed file is missing.
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
    """The seal, or a description of its damage."""
    try:
        known = msgspec.json.decode((folder / SEAL).read_bytes(), type=Seal)
        return known if known.whole else "is damaged"
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
