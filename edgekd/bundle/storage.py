"""Storage of a bundle's files: a folder, or memory for those of an uncompressed zip.

Files are named as in the manifest; their meaning does not matter here.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError, InputError
from edgekd.files import sha256_of

__all__ = [
    "MAX_ARCHIVE_BYTES",
    "MAX_FILES",
    "FolderStorage",
    "MemoryStorage",
    "Storage",
    "damaged",
    "is_plain_name",
    "open_storage",
]

MAX_ARCHIVE_BYTES = 512 << 20
"""Largest zip in bytes, since its content is held in memory, unlike that of a folder."""
MAX_FILES = 64
"""Number of files that a bundle may have."""
MAX_DIRECTORY_BYTES = MAX_FILES << 10
MAX_NAME_LENGTH = 255

_BUILT = "give the folder or .edgekd file that `edgekd build` wrote"
_ZIP_ERRORS = (  # raised by zipfile for a damaged archive or another kind of file
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, NotImplementedError,
    OverflowError, RuntimeError, ValueError,
)  # fmt: skip
_END = struct.Struct("<4s4H2LH")  # end of central directory: APPNOTE.TXT 4.3.16
_RECORD_BYTES = 46  # of a member in the directory, without its name, extra field and comment
_RECORD_LENGTHS = struct.Struct("<3H")  # of these, at 28: 4.3.12
_END_SIGNATURE, _LOCATOR64_SIGNATURE, _LOCATOR64_BYTES = b"PK\5\6", b"PK\6\7", 20


class Storage(Protocol):
    """Files of a bundle by name."""

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; None where there is no such file."""

    def sha256(self, name: str) -> str:
        """Hex SHA-256 of a file that is there."""

    def read(self, name: str, most: int) -> bytes:
        """The first `most` bytes of a file that is there."""

    def stream(self, name: str) -> BinaryIO:
        """A file that is there, to be read in parts."""

    def model(self, name: str, listed: Collection[str]) -> ModelFiles:
        """A model file with those of the `listed` files that are beside it, for the engine."""


class FolderStorage:
    """Files that stay on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; None where it is missing or reached through a symbolic link."""
        file = self.folder / name
        try:
            own = file.is_file() and file.resolve() == self.folder.resolve() / name
            return file.stat().st_size if own else None
        except (OSError, RuntimeError, ValueError):  # e.g. a name longer than the system allows
            return None

    def sha256(self, name: str) -> str:
        """Hex SHA-256 of a file, read in pieces."""
        try:
            return sha256_of(self.folder / name)
        except OSError as error:
            raise _unreadable(self.folder / name, error) from error

    def read(self, name: str, most: int) -> bytes:
        """The first `most` bytes."""
        try:
            with (self.folder / name).open("rb") as stream:
                return stream.read(most)
        except OSError as error:
            raise _unreadable(self.folder / name, error) from error

    def stream(self, name: str) -> BinaryIO:
        """The open file."""
        try:
            return (self.folder / name).open("rb")
        except OSError as error:
            raise _unreadable(self.folder / name, error) from error

    def model(self, name: str, listed: Collection[str]) -> ModelFiles:
        """The file where it is."""
        return ModelFiles.on_disk(self.folder / name)


class MemoryStorage:
    """Files held in memory, which never reach a disk."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; None where there is no such file."""
        return len(self.contents[name]) if name in self.contents else None

    def sha256(self, name: str) -> str:
        """Hex SHA-256."""
        return hashlib.sha256(self.contents[name]).hexdigest()

    def read(self, name: str, most: int) -> bytes:
        """The first `most` bytes; the stored object itself, without a copy, if that is all."""
        return self.contents[name][:most]

    def stream(self, name: str) -> BinaryIO:
        """The bytes as a file."""
        return io.BytesIO(self.contents[name])

    def model(self, name: str, listed: Collection[str]) -> ModelFiles:
        """The file and its neighbours, by their names without folders."""
        place = PurePosixPath(name)
        beside = [other for other in listed if PurePosixPath(other).parent == place.parent]
        contents = {PurePosixPath(other).name: self.contents[other] for other in beside}
        return ModelFiles(place.name, contents=contents)


def open_storage(source: Path | bytes, label: str) -> Storage:
    """The files of a bundle folder, or of a zip given as a path or as its bytes.

    Args:
        source: The folder, the zip, or its bytes.
        label: What to call it in an error.

    Raises:
        InputError: There is nothing at the path.
        ArtefactError: It is not a zip, or could take more memory than its own size.
    """
    if isinstance(source, bytes):
        return MemoryStorage(_read_zip(io.BytesIO(source), label))
    try:
        if source.is_dir():
            return FolderStorage(source)
        if source.is_file():
            with source.open("rb") as stream:
                return MemoryStorage(_read_zip(stream, label))
        exists = source.exists()
    except OSError as error:
        raise _unreadable(source, error) from error
    if exists:
        raise ArtefactError(f"{label} is not a bundle: neither a folder nor a file", _BUILT)
    raise InputError(f"there is no bundle at {label}", _BUILT)


def damaged(label: str, why: str) -> ArtefactError:
    """The error for a bundle whose parts do not belong together."""
    return ArtefactError(
        f"the bundle {label} is damaged: {why}", "copy it again, or build it again"
    )


def is_plain_name(name: str) -> bool:
    """Whether `name` is a relative path inside the bundle, with one meaning on every system."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and len(name) <= MAX_NAME_LENGTH
        and name.isprintable()
        and "\\" not in name
        and ":" not in name
        and not name.startswith("/")
        and ".." not in parts
        and str(PurePosixPath(name)) == name
    )


def _unreadable(path: Path, error: OSError) -> ArtefactError:
    message = f"{path} cannot be read: {error.strerror or error}"
    return ArtefactError(message, "check its permissions, or copy it again")


def _read_zip(stream: BinaryIO, label: str) -> dict[str, bytes]:
    """Content of every member by name."""
    try:
        bytes_of_archive = _check_end(stream, label)
        with zipfile.ZipFile(stream) as archive:
            members = _checked_members(archive, bytes_of_archive, label)
            return {member.filename: archive.read(member) for member in members}
    except _ZIP_ERRORS as error:
        why = str(error).partition(" and header ")[0]  # what follows quotes the damaged bytes
        raise ArtefactError(f"{label} is not a bundle: {why}", _BUILT) from None
    except MemoryError as error:
        message = f"{label} does not fit into the memory of this machine"
        raise ArtefactError(message, "unzip it into a folder and open that") from error


def _check_end(stream: BinaryIO, label: str) -> int:
    """The archive's size. Too large a directory is refused before `zipfile` parses it."""
    size = stream.seek(0, io.SEEK_END)
    if size > MAX_ARCHIVE_BYTES:
        message = f"{label} is larger than {MAX_ARCHIVE_BYTES >> 20} MiB, the most for one file"
        raise ArtefactError(message, "unzip it into a folder and open that")
    tail_bytes = min(size, _LOCATOR64_BYTES + _END.size)
    stream.seek(size - tail_bytes)
    tail = stream.read(tail_bytes)
    # The record must be the last bytes, without a comment, so that zipfile reads the same one.
    if len(tail) < _END.size or tail[-_END.size :][:4] != _END_SIGNATURE or tail[-2:] != b"\0\0":
        raise zipfile.BadZipFile("it does not end as a zip file without a comment does")
    *_, members, directory_bytes, _, _ = _END.unpack(tail[-_END.size :])
    if tail.startswith(_LOCATOR64_SIGNATURE):
        raise zipfile.BadZipFile("it is a zip of the 64-bit kind, for larger files")
    if members > MAX_FILES or directory_bytes > MAX_DIRECTORY_BYTES:
        raise damaged(label, f"it has more than {MAX_FILES} files, or overlong names")
    stream.seek(max(0, size - _END.size - directory_bytes))
    _check_directory(stream.read(directory_bytes))
    return size


def _check_directory(directory: bytes) -> None:
    """Refuse one whose last record leads out of it, which `zipfile` takes for a shorter name."""
    place = 0
    while place < len(directory):
        if place + _RECORD_BYTES > len(directory):
            raise zipfile.BadZipFile("its directory is damaged")
        place += _RECORD_BYTES + sum(_RECORD_LENGTHS.unpack_from(directory, place + 28))
    if place > len(directory):
        raise zipfile.BadZipFile("its directory is cut off")


def _checked_members(
    archive: zipfile.ZipFile, bytes_of_archive: int, label: str
) -> list[zipfile.ZipInfo]:
    """The members of an archive, checked: all are stored uncompressed, and no two overlap."""
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise damaged(label, f"it has more than {MAX_FILES} files")
    for member in members:
        name = member.orig_filename
        if member.is_dir() or not is_plain_name(name):
            raise damaged(label, f"the member {name[:80]!r} leads out of the bundle")
        stored = member.compress_type == zipfile.ZIP_STORED
        if not stored or member.file_size != member.compress_size:
            raise damaged(label, f"the member {name!r} is compressed or too large")
        if member.header_offset > bytes_of_archive:  # a 64-bit offset may be any number
            raise damaged(label, f"the member {name!r} lies outside of it")
    if len({member.filename for member in members}) < len(members):
        raise damaged(label, "two of its members have the same name")
    if sum(member.file_size for member in members) > bytes_of_archive:
        raise damaged(label, "its members overlap")
    return members
