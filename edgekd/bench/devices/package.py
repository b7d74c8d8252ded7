"""The part of edgekd that runs on a board, as one archive of plain Python."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import edgekd

__all__ = ["pack_runner", "runner_files"]

_FILES = (
    "__init__.py",
    "errors.py",
    "files.py",
    "resources.py",
    "streams.py",
    "user_folders.py",
    "bench/__init__.py",
)
_FOLDERS = ("bundle", "runtime", "extensions", "tasks", "bench/measure")
_LEFT_OUT = (("runtime", "export"),)  # records for a hospital: not part of a measurement
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold


def runner_files() -> dict[str, Path]:
    """The modules by their names in the archive.

    Besides them a board needs numpy, msgspec, OpenCV and an engine.
    """
    home = Path(edgekd.__file__).resolve().parent
    files = [home / name for name in _FILES]
    files += [
        file
        for folder in _FOLDERS
        for file in (home / folder).rglob("*.py")
        if file.relative_to(home).parts[:2] not in _LEFT_OUT
    ]
    return {f"edgekd/{file.relative_to(home).as_posix()}": file for file in sorted(files)}


def pack_runner() -> bytes:
    """The archive; the same modules give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, file in runner_files().items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return packed.getvalue()
