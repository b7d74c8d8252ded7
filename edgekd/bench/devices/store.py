"""A content-addressed folder on a device: files by their SHA-256, and folders made of them.

    store/<sha256>          complete files, whose hash was checked there
    incoming-<host>/<sha256>  incomplete files; a broken copy is resumed
    trees/<sha256>/         folders of links into store/

A file gets its name in store/ only after its hash was computed on the device.
"""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import socket
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from edgekd.bench.devices.transport import (
    DeviceFullError,
    DeviceRefusedError,
    Finished,
    Transport,
    disk_full,
    quoted_path,
)
from edgekd.errors import DeviceUnreachableError
from edgekd.files import sha256_of

__all__ = ["Blob", "Say", "Store", "blob_of", "silent"]

Say = Callable[[str], None]

_FEW = 3
_SMALL = 4 << 20
"""Bytes. Smaller files are sent together where there are more than a few."""
_PARCEL_BYTES, _PARCEL_FILES = 16 << 20, 256
_TOLD = 8 << 20
"""Bytes of a file from which on its progress is reported."""
_HASHING_SECONDS = 600.0

_NAME = re.compile(r"[0-9a-f]{64}")
# SHA-256 with the command that the device has: GNU, Busybox or Toybox; macOS or BSD; OpenSSL.
_HASH = (
    'digest() { if command -v sha256sum >/dev/null; then sha256sum "$@"; '
    'elif command -v shasum >/dev/null; then shasum -a 256 "$@"; '
    'else openssl dgst -sha256 -r "$@"; fi; }'
)
_OURS = ("store", "incoming-*", "trees", "jobs", "site-*", "runner-*", "cache")


def silent(line: str) -> None:
    """Report no progress."""


class Blob:
    """A file of this machine by its hash.

    Attributes:
        path: Path on this machine.
        sha256: Hex.
        size: Bytes.
    """

    __slots__ = ("path", "sha256", "size")

    def __init__(self, path: Path, sha256: str, size: int) -> None:
        self.path, self.sha256, self.size = path, sha256, size


def blob_of(path: Path) -> Blob:
    """Hash and size of a file as it is now."""
    return Blob(path, sha256_of(path), path.stat().st_size)


class Store:
    """The folder on one device.

    Args:
        transport: The connection.
        folder: Its path there; `~/` is the user's home. It is made for the first file.

    Raises:
        DeviceUnreachableError: The connection failed (all methods).
        DeviceFullError: There is no room on the disk (methods that write).
    """

    def __init__(self, transport: Transport, folder: str) -> None:
        self._transport = transport
        self._configured = folder
        self._folder: str | None = None
        machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
        self._incoming = f"incoming-{machine}"

    @property
    def folder(self) -> str:
        """The absolute path on the device; the folder is made where it is missing."""
        if self._folder is None:
            made = " ".join(("store", "trees", "jobs", self._incoming))
            path = quoted_path(self._configured)
            make = f"mkdir -p {path} && cd {path} && mkdir -p {made} && pwd -P"
            done = self._do(make, in_folder=False)
            self._folder = done.stdout.decode().rstrip("\n").splitlines()[-1]
        return self._folder

    def path(self, sha256: str) -> str:
        """Path of a file on the device once it was put there."""
        return f"{self.folder}/store/{sha256}"

    def put(self, blobs: Iterable[Blob], say: Say = silent) -> None:
        """Copy files that the device lacks; `say` is called with their number and size.

        Raises:
            DeviceUnreachableError: A copy was damaged twice.
        """
        by_hash = {blob.sha256: blob for blob in blobs}
        missing = self._missing(by_hash)
        if missing and self._harvest(by_hash):
            missing = self._missing(by_hash)
        if not missing:
            return
        megabytes = sum(blob.size for blob in missing) / 1e6
        say(f"{self._transport.name}: copying {len(missing)} files, {megabytes:.1f} MB")
        for _ in range(2):
            try:
                self._send(missing, say)
            except DeviceFullError:
                self._do(f"rm -rf {self._incoming}/*")  # do not leave the disk full
                raise
            missing = self._missing(by_hash)
            if not missing:
                return
        message = f"{self._transport.name}: {missing[0].path.name} arrives damaged"
        raise DeviceUnreachableError(message, "see whether the device's disk is worn out")

    def tree(self, files: Mapping[str, Blob]) -> str:
        """Make a folder of files that were `put`, by their paths in it; returns its path there."""
        listed = "".join(f"{blob.sha256} {name}\n" for name, blob in sorted(files.items()))
        key = hashlib.sha256(listed.encode()).hexdigest()
        lines = [f"test -d trees/{key} && exit 0", f"rm -rf trees/new-{key}"]
        folders = {f"trees/new-{key}/{name}".rpartition("/")[0] for name in files}
        lines.append(f"mkdir -p {shlex.join(sorted(folders))}")
        for name, blob in files.items():
            source, target = f"store/{blob.sha256}", shlex.quote(f"trees/new-{key}/{name}")
            # Android and some file systems have no links.
            lines.append(f"ln {source} {target} 2>/dev/null || cp {source} {target}")
        lines.append(f"mv trees/new-{key} trees/{key}")
        self._do("set -e\n" + "\n".join(lines))
        return f"{self.folder}/trees/{key}"

    def free_bytes(self) -> int | None:
        """Free bytes on the device's disk; None where it does not report them."""
        words = self._do("df -Pk .").stdout.decode().splitlines()[-1].split()
        return int(words[3]) * 1024 if len(words) > 4 and words[3].isdigit() else None

    def clean(self) -> None:
        """Remove what edgekd put there, and the folder itself where it is then empty."""
        path = quoted_path(self._configured)
        names = " ".join(_OURS)
        away = f"rm -rf {names}; rmdir {path} 2>/dev/null; :"
        self._do(f"cd {path} 2>/dev/null || exit 0; {away}", in_folder=False)
        self._folder = None

    def _missing(self, by_hash: Mapping[str, Blob]) -> list[Blob]:
        there = self._listing()
        return [blob for blob in by_hash.values() if there.get(blob.sha256) != blob.size]

    def _listing(self) -> dict[str, int]:
        """Sizes of the complete files, since a power failure may have truncated one."""
        sizes = {}
        for line in self._do("ls -ln store").stdout.decode(errors="replace").splitlines():
            words = line.split()
            if len(words) > 4 and _NAME.fullmatch(words[-1]) and words[4].isdigit():
                sizes[words[-1]] = int(words[4])
        return sizes

    def _send(self, missing: Sequence[Blob], say: Say) -> None:
        many = sum(blob.size < _SMALL for blob in missing) > _FEW
        together = [blob for blob in missing if many and blob.size < _SMALL]
        alone = [blob for blob in missing if not (many and blob.size < _SMALL)]
        for number, batch in enumerate(_batches(together)):
            self._send_batch(batch)
            self._harvest({blob.sha256: blob for blob in batch})
            if number % 8 == 7:
                say(f"{self._transport.name}: {(number + 1) * _PARCEL_FILES} files are there")
        for blob in alone:
            remote = f"{self.folder}/{self._incoming}/{blob.sha256}"
            self._transport.send(blob.path, remote, _progress(self._transport.name, blob, say))
            self._harvest({blob.sha256: blob})

    def _send_batch(self, batch: Sequence[Blob]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for blob in batch:
                entry = tarfile.TarInfo(blob.sha256)
                entry.size = blob.size
                with blob.path.open("rb") as file:
                    archive.addfile(entry, file)
        command = f"cd {self._incoming} && LC_ALL=C tar -xof -"
        self._do(command, stdin=packed.getvalue(), timeout=_HASHING_SECONDS)

    def _harvest(self, by_hash: Mapping[str, Blob]) -> bool:
        """Move files that are complete into the store; remove those with a wrong hash.

        Returns:
            Whether a file was moved.
        """
        every = 'set -- *; test -e "$1" && digest "$@"; :'
        script = f"{_HASH}; cd {self._incoming} && {every}"
        whole, wrong = [], []
        for line in self._do(script, timeout=_HASHING_SECONDS).stdout.decode().splitlines():
            digest, _, name = line.partition(" ")
            name = name.lstrip(" *")
            if digest == name:
                whole.append(name)
            elif name in by_hash and self._is_long(by_hash[name]):
                wrong.append(name)
        for part in _slices(whole):
            self._do(f"cd {self._incoming} && mv -f {' '.join(part)} ../store/")
        for part in _slices(wrong):
            self._do(f"cd {self._incoming} && rm -f {' '.join(part)}")
        return bool(whole)

    def _is_long(self, blob: Blob) -> bool:
        done = self._do(f"wc -c <{self._incoming}/{blob.sha256}")
        return int(done.stdout.split()[-1]) >= blob.size

    def _do(
        self,
        command: str,
        in_folder: bool = True,
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
    ) -> Finished:
        """Run a command in the folder; it has to succeed."""
        line = f"cd {shlex.quote(self.folder)} && {{ {command}\n}}" if in_folder else command
        done = self._transport.run(line, stdin=stdin, timeout=timeout)
        if done.code != 0:
            raise self._error(done)
        return done

    def _error(self, done: Finished) -> DeviceUnreachableError:
        words, name = done.last_line, self._transport.name
        if full := done.no_room:
            return disk_full(name, full)
        message = f"{name}: {words or f'exit code {done.code}'}"
        return DeviceRefusedError(message, f"see whether {self._configured} can be written there")


def _batches(blobs: Sequence[Blob]) -> Iterator[list[Blob]]:
    """The files in batches of limited number and size."""
    part: list[Blob] = []
    for blob in blobs:
        if part and (
            len(part) == _PARCEL_FILES
            or sum(each.size for each in part) + blob.size > _PARCEL_BYTES
        ):
            yield part
            part = []
        part.append(blob)
    if part:
        yield part


def _slices(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """The names in parts that are short enough for a command line."""
    for start in range(0, len(names), _PARCEL_FILES):
        yield names[start : start + _PARCEL_FILES]


def _progress(name: str, blob: Blob, say: Say) -> Callable[[int, int], None] | None:
    """Progress of a large file in steps of ten per cent."""
    if blob.size < _TOLD:
        return None
    last = -1

    def report(done: int, total: int) -> None:
        nonlocal last
        if (tenth := 10 * done // total) > last:
            last = tenth
            say(f"{name}: {blob.path.name} {done / 1e6:.0f} of {total / 1e6:.0f} MB")

    return report
