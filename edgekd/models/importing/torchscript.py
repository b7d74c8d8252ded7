"""TorchScript: a teacher that gives its outputs alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgekd.models.foreign.torchscript_files import TorchScriptNetwork
from edgekd.models.importing.request import ImportRequest, ReadModel

__all__ = ["read", "recognises"]


def recognises(source: Path, head: bytes) -> bool:
    """Whether it is an archive with code of TorchScript."""
    if not source.is_file() or head[:2] != b"PK":
        return False
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name.endswith("/constants.pkl") for name in names)


def read(request: ImportRequest) -> ReadModel:
    """The network in a file; see `Kind.read`."""
    network = TorchScriptNetwork(request.source)
    return ReadModel(
        kind=network.title, network=network, arch=network.title, options={}, file=request.source,
        shape=network.shape,
    )  # fmt: skip
