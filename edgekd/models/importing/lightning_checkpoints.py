"""Checkpoints of PyTorch Lightning: the state dict of a LightningModule among other values."""

from __future__ import annotations

from pathlib import Path

from edgekd.models.importing.pickles import is_pickle, pickled_bytes, read_tensors
from edgekd.models.importing.request import ImportRequest, ReadModel
from edgekd.models.importing.state_dicts import model_of_content

__all__ = ["read", "recognises"]

_MARK = b"pytorch-lightning_version"


def recognises(source: Path, head: bytes) -> bool:
    """Whether it is a pickle of PyTorch with Lightning's version in it."""
    return source.is_file() and is_pickle(head) and _MARK in pickled_bytes(source)


def read(request: ImportRequest) -> ReadModel:
    """The network of the LightningModule, whatever its attribute is called; see `Kind.read`."""
    content = read_tensors(request.source, trust_code=request.trust_code)
    return model_of_content(request, content["state_dict"], "a checkpoint of Lightning")
