"""Reading a bundle: a folder, or the same as one uncompressed `.edgekd` zip.

Nothing of a bundle is believed before it is checked: versions, paths, sizes, hashes.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from types import TracebackType

from edgekd.bundle.manifest import Manifest, decode_manifest
from edgekd.errors import ArtefactError, InputError
from edgekd.files import sha256_of

__all__ = ["MANIFEST", "MAX_FILE_BYTES", "SELFTEST", "Bundle"]

MANIFEST = "manifest.json"
SELFTEST = "selftest.npz"
MAX_MANIFEST_BYTES = 4 << 20
MAX_FILE_BYTES = 1 << 30
"""No file of a bundle may be larger: a bundle is for a hand-held device."""


class Bundle:
    """An opened bundle: its manifest and a folder with its files.

    A zip is unpacked into a temporary folder that `close` removes, since engines read paths.
    """

    def __init__(self, path: Path, folder: Path, manifest: Manifest) -> None:
        self.path = path
        self.folder = folder
        self.manifest = manifest
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = True) -> Bundle:
        """Open a bundle folder or `.edgekd` file.

        Args:
            path: The folder or file.
            verify: Check the SHA-256 of every file (sizes and paths are always checked).

        Raises:
            InputError: There is nothing at `path`.
            ArtefactError: It is not a bundle, or damaged, or of an unknown version.
        """
        path = Path(path)
        if not path.exists():
            message = f"there is no bundle at {path}"
            raise InputError(message, "give the folder or .edgekd file that `edgekd build` wrote")
        unpacked = None
        if path.is_file():
            unpacked = tempfile.TemporaryDirectory(prefix="edgekd-")
        try:
            folder = path
            if unpacked is not None:
                folder = Path(unpacked.name)
                _unpack(path, folder)
            bundle = cls(path, folder, _read_manifest(path, folder))
            _check_files(bundle, verify=verify)
        except BaseException:
            if unpacked is not None:
                unpacked.cleanup()
            raise
        bundle._unpacked = unpacked
        return bundle

    @property
    def model_path(self) -> Path:
        """The model file, for the engine."""
        return self.folder / self.manifest.model_file

    @property
    def size_bytes(self) -> int:
        """Bytes of the files that the engine reads: the model and what stands beside it."""
        stem = PurePosixPath(self.manifest.model_file).stem
        files = self.manifest.files.items()
        return sum(entry.size for name, entry in files if PurePosixPath(name).stem == stem)

    def close(self) -> None:
        """Remove what was unpacked; the bundle itself stays."""
        if self._unpacked is not None:
            self._unpacked.cleanup()
            self._unpacked = None

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


def _damaged(path: Path, why: str) -> ArtefactError:
    return ArtefactError(f"the bundle {path} is damaged: {why}", "copy it again, or build it again")


def _read_manifest(path: Path, folder: Path) -> Manifest:
    file = folder / MANIFEST
    if not file.is_file():
        message = f"{path} is not a bundle: it has no {MANIFEST}"
        raise ArtefactError(message, "give the folder or .edgekd file that `edgekd build` wrote")
    if file.stat().st_size > MAX_MANIFEST_BYTES:
        raise _damaged(path, f"{MANIFEST} is larger than {MAX_MANIFEST_BYTES} bytes")
    return decode_manifest(file.read_bytes())


def _check_files(bundle: Bundle, *, verify: bool) -> None:
    for name, entry in bundle.manifest.files.items():
        if not is_plain_name(name):
            raise _damaged(bundle.path, f"the name {name!r} leads out of the bundle")
        file = bundle.folder / name
        if not _is_own_file(bundle.folder, name):
            raise _damaged(bundle.path, f"{name} is missing")
        if file.stat().st_size != entry.size or entry.size > MAX_FILE_BYTES:
            raise _damaged(bundle.path, f"{name} does not have the size that the manifest says")
        if verify and sha256_of(file) != entry.sha256:
            raise _damaged(bundle.path, f"{name} does not have the hash that the manifest says")


def _is_own_file(folder: Path, name: str) -> bool:
    """Whether there is such a file, and no link on the way to it leads elsewhere."""
    file = folder / name
    try:
        return file.is_file() and file.resolve() == folder.resolve() / name
    except OSError:  # e.g. a name longer than the system allows
        return False


def is_plain_name(name: str) -> bool:
    """Whether `name` is a relative path inside the bundle, in one spelling on every system."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and "\\" not in name
        and ":" not in name
        and not name.startswith("/")
        and ".." not in parts
        and str(PurePosixPath(name)) == name
    )


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in _checked_members(path, archive):
                file = folder / member.filename
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(member))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        message = f"{path} is not a bundle: {error}"
        hint = "give the folder or .edgekd file that `edgekd build` wrote"
        raise ArtefactError(message, hint) from error
    except OSError as error:
        message = f"{path} cannot be unpacked: {error.strerror or error}"
        hint = "check its permissions and the room for temporary files, or copy it again"
        raise ArtefactError(message, hint) from error


def _checked_members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members of an archive that cannot swell: all are stored, and none shares its bytes."""
    members = archive.infolist()
    for member in members:
        if member.is_dir() or not is_plain_name(member.filename):
            raise _damaged(path, f"the member {member.filename!r} leads out of the bundle")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > MAX_FILE_BYTES:
            raise _damaged(path, f"the member {member.filename!r} is compressed or too large")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise _damaged(path, "its members overlap")
    return members
