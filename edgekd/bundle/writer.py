"""Writing a bundle: whole or not at all."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgekd.bundle.manifest import FileEntry, Manifest, encode_manifest
from edgekd.bundle.reader import MANIFEST
from edgekd.files import sha256_of, whole_file, whole_folder

__all__ = ["write_bundle", "zip_bundle"]


def write_bundle(out: Path, manifest: Manifest, files: Mapping[str, Path | bytes]) -> Manifest:
    """Write the folder `out` with all `files` and the manifest that lists them.

    Args:
        out: The bundle's folder; what was there is replaced in the end.
        manifest: The manifest; its `files` are filled in here.
        files: Content, or the file to copy, by name inside the bundle.

    Returns:
        The manifest as written.
    """
    with whole_folder(out) as folder:
        entries = {name: _add(folder / name, content) for name, content in files.items()}
        manifest = msgspec.structs.replace(manifest, files=entries)
        (folder / MANIFEST).write_bytes(encode_manifest(manifest))
    return manifest


def zip_bundle(folder: Path, out: Path) -> None:
    """The bundle `folder` as one uncompressed `.edgekd` file, the same bytes every time."""
    with whole_file(out) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            # A fixed date: two archives of one bundle must be one file.
            member = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            archive.writestr(member, file.read_bytes())


def _add(file: Path, content: Path | bytes) -> FileEntry:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, file)
    else:
        file.write_bytes(content)
    return FileEntry(sha256=sha256_of(file), size=file.stat().st_size)
