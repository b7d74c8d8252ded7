"""ExportedProgram (`torch.export.save`): a teacher that gives its outputs alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgekd.models.foreign.exported_programs import ExportedNetwork
from edgekd.models.importing.request import ImportRequest, ReadModel

__all__ = ["read", "recognises"]


def recognises(source: Path, head: bytes) -> bool:
    """Whether it has its suffix, or its members."""
    if not source.is_file() or head[:2] != b"PK":
        return source.is_file() and source.suffix == ".pt2"
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return source.suffix == ".pt2"
    return any(
        name.endswith(("/archive_format", "serialized_exported_program.json")) for name in names
    )


def read(request: ImportRequest) -> ReadModel:
    """The network in a file; see `Kind.read`."""
    network = ExportedNetwork(request.source)
    return ReadModel(
        kind=network.title, network=network, arch=network.title, options={}, file=request.source,
        shape=network.shape,
    )  # fmt: skip
