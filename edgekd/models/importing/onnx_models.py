"""ONNX: a teacher that gives its outputs alone."""

from __future__ import annotations

from pathlib import Path

from edgekd.models.foreign.onnx_files import OnnxNetwork
from edgekd.models.importing.request import ImportRequest, ReadModel

__all__ = ["read", "recognises"]


def recognises(source: Path, head: bytes) -> bool:
    """Whether it has ONNX's suffix, or begins with the number of its version."""
    return source.is_file() and (source.suffix == ".onnx" or head[:1] == b"\x08")


def read(request: ImportRequest) -> ReadModel:
    """The network in a file; see `Kind.read`."""
    network = OnnxNetwork(request.source)
    return ReadModel(
        kind=network.title, network=network, arch=network.title, options={}, file=request.source,
        shape=network.shape,
    )  # fmt: skip
