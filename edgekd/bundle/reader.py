"""Reading a bundle: a folder, or the same as one uncompressed `.edgekd` zip.

Signature, version, paths, sizes and hashes are checked before any content is used.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Literal

from edgekd.bundle.manifest import FileEntry, Manifest, decode_manifest
from edgekd.bundle.model_files import ModelFiles
from edgekd.bundle.signature import SIGNATURE, PublicKey, load_public_key, verify_signature
from edgekd.bundle.storage import MAX_FILES, Storage, damaged, is_plain_name, open_storage
from edgekd.errors import ArtefactError, InputError
from edgekd.extensions.backends import BACKENDS, BackendDescriptor, backend_named

__all__ = ["MANIFEST", "MAX_FILE_BYTES", "PROVENANCE", "SELFTEST", "Bundle", "SignatureState"]

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
SELFTEST = "selftest.npz"
MAX_MANIFEST_BYTES = 4 << 20
MAX_SIGNATURE_BYTES = 1 << 10
MAX_FILE_BYTES = 1 << 30
"""No file of a bundle may be larger: a bundle is for a hand-held device."""

SignatureState = Literal["none", "not checked", "verified"]


class Bundle:
    """An opened bundle: its manifest and its files. Open one with `Bundle.open`.

    A folder stays where it is. A zip is held in memory only and never written to a disk, so that an
    app may decrypt it.

    Attributes:
        label: Its name in messages: its path, or `<bytes>`.
        path: Where it is; None where it was given as bytes.
        manifest: Its manifest.
        signature: State of its signature: `none`, `not checked` or `verified`.
    """

    def __init__(
        self, source: Path | bytes, storage: Storage, manifest_bytes: bytes, state: SignatureState
    ) -> None:
        self.label = _label(source)
        self.path = source if isinstance(source, Path) else None
        self.manifest: Manifest = decode_manifest(manifest_bytes)
        self.signature: SignatureState = state
        self._manifest_bytes = manifest_bytes
        self._storage: Storage | None = storage
        self._hashed = False

    @classmethod
    def open(
        cls,
        source: str | Path | bytes,
        *,
        verify: bool = True,
        public_key: PublicKey | None = None,
    ) -> Bundle:
        """Open a bundle folder or `.edgekd` file.

        Args:
            source: The folder, the file, or the file's bytes (at most 512 MiB; a folder may be
                larger).
            verify: Check the SHA-256 of every file (sizes and paths are always checked).
            public_key: Refuse a bundle that was not signed with the private key of this one: a
                PEM file's path, its bytes, or the 32 raw bytes. Hashes are always checked then.
                Anyone who may write to a folder can change it after the check; a zip is
                checked and used in memory.

        Raises:
            InputError: There is nothing at `source`, or the key is not an Ed25519 key.
            MissingDependencyError: A key is given and `cryptography` is not installed.
            ArtefactError: It is not a bundle, or damaged, of an unknown version, or not signed
                with that key.
        """
        if public_key is not None:
            load_public_key(public_key)  # report a bad key before a bad bundle
        source = _place_or_bytes(source)
        label = _label(source)
        storage = open_storage(source, label)
        raw = _read_manifest(label, storage)
        try:
            bundle = cls(source, storage, raw, _signature_state(storage, raw, public_key))
        except ArtefactError as error:  # name the bundle, since there may be several
            raise ArtefactError(f"{label}: {error.message}", error.hint) from error
        bundle._check_files(hashes=verify or public_key is not None)
        return bundle

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the manifest, which has the hash of every other file: that of the bundle.

        It is the same for a folder and for its zip, signed or not.
        """
        return hashlib.sha256(self._manifest_bytes).hexdigest()

    @property
    def model(self) -> ModelFiles:
        """The model file with the files beside it, for the engine."""
        return self._files.model(self.manifest.model_file, self.manifest.files)

    def model_for(self, backend: str | None) -> ModelFiles:
        """The file for `backend`: on a host, the one that a device builds its engine from."""
        lowered_by = self._lowered_by()
        if lowered_by is not None and backend == lowered_by.host:
            source = lowered_by.model_file
            if source in self.manifest.files:
                return self._files.model(source, self.manifest.files)
        return self.model

    def _lowered_by(self) -> BackendDescriptor | None:
        """Descriptor of the bundle's backend; None if it is a plugin that is not installed."""
        name = self.manifest.lowering.backend
        return backend_named(name) if name in BACKENDS else None

    @property
    def size_bytes(self) -> int:
        """Bytes of the files that the engine reads: the model and the files beside it."""
        main = self.manifest.model_file
        stem = PurePosixPath(main).stem
        lowered_by = self._lowered_by()
        # A device keeps the file that it built its engine from, and never opens it.
        unused = {lowered_by.model_file} - {main} if lowered_by is not None else set()
        files = {
            name: entry.size
            for name, entry in self.manifest.files.items()
            if PurePosixPath(name).stem == stem and name not in unused
        }
        return sum(files.values())

    def read(self, name: str) -> bytes:
        """Content of a file that the manifest lists, or the manifest's own bytes.

        The content is what was hashed when the bundle was opened; a file changed since is refused.

        Raises:
            ArtefactError: There is no such file, or it changed.
        """
        files = self._files
        if name == MANIFEST:
            return self._manifest_bytes
        entry = self.manifest.files.get(name)
        if entry is None or files.size(name) is None:
            raise damaged(self.label, f"{name} is missing")
        content = files.read(name, entry.size + 1)
        self._refuse_size(name, entry, len(content))
        if self._hashed:
            self._refuse_hash(name, entry, hashlib.sha256(content).hexdigest())
        return content

    def stream(self, name: str) -> BinaryIO:
        """A stream of a file that the manifest lists; it was hashed when the bundle was opened.

        Raises:
            ArtefactError: There is no such file.
        """
        if name not in self.manifest.files or self._files.size(name) is None:
            raise damaged(self.label, f"{name} is missing")
        return self._files.stream(name)

    def read_unlisted(self, name: str, most: int) -> bytes | None:
        """Content of a file beside those that the manifest lists; None where there is none.

        Raises:
            ArtefactError: It has more than `most` bytes.
        """
        size = self._files.size(name)
        if size is None:
            return None
        content = self._files.read(name, most + 1)
        if len(content) > most:
            raise damaged(self.label, f"{name} is larger than {most} bytes")
        return content

    def close(self) -> None:
        """Release the memory; the bundle on disk stays."""
        self._storage = None

    def __enter__(self) -> Bundle:
        """The bundle itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    @property
    def _files(self) -> Storage:
        if self._storage is None:
            raise RuntimeError("the bundle is closed")
        return self._storage

    def _check_files(self, *, hashes: bool) -> None:
        if len(self.manifest.files) > MAX_FILES:
            raise damaged(self.label, f"its manifest lists more than {MAX_FILES} files")
        for name, entry in self.manifest.files.items():
            if not is_plain_name(name):
                raise damaged(self.label, f"the name {name[:80]!r} leads out of the bundle")
            if name in (MANIFEST, SIGNATURE, PROVENANCE):
                raise damaged(self.label, f"its manifest lists {name}, which cannot be hashed")
            size = self._files.size(name)
            if size is None:
                raise damaged(self.label, f"{name} is missing")
            self._refuse_size(name, entry, size)
            if hashes:
                self._refuse_hash(name, entry, self._files.sha256(name))
        self._hashed = hashes

    def _refuse_size(self, name: str, entry: FileEntry, size: int) -> None:
        if size != entry.size or size > MAX_FILE_BYTES:
            raise damaged(self.label, f"{name} does not have the size that the manifest says")

    def _refuse_hash(self, name: str, entry: FileEntry, sha256: str) -> None:
        if sha256 != entry.sha256:
            raise damaged(self.label, f"{name} does not have the hash that the manifest says")


def _place_or_bytes(source: object) -> Path | bytes:
    """The source as a path or bytes, with its type checked."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        return Path(os.fsdecode(source))
    message = f"a bundle cannot be opened by a {type(source).__name__}"
    raise InputError(message, "give its path, or the bytes of an .edgekd file")


def _label(source: Path | bytes) -> str:
    return "<bytes>" if isinstance(source, bytes) else str(source)


def _read_manifest(label: str, storage: Storage) -> bytes:
    """The manifest's bytes, read once, so that the bytes decoded are those verified."""
    if storage.size(MANIFEST) is None:
        message = f"{label} is not a bundle: it has no {MANIFEST}"
        raise ArtefactError(message, "give the folder or .edgekd file that `edgekd build` wrote")
    raw = storage.read(MANIFEST, MAX_MANIFEST_BYTES + 1)
    if len(raw) > MAX_MANIFEST_BYTES:
        raise damaged(label, f"{MANIFEST} is larger than {MAX_MANIFEST_BYTES} bytes")
    return raw


def _signature_state(
    storage: Storage, manifest_bytes: bytes, public_key: PublicKey | None
) -> SignatureState:
    """The state of the signature; with a key, a missing or wrong one is an error."""
    there = storage.size(SIGNATURE) is not None
    if public_key is None:
        return "not checked" if there else "none"
    text = storage.read(SIGNATURE, MAX_SIGNATURE_BYTES) if there else None
    verify_signature(manifest_bytes, text, public_key)
    return "verified"
