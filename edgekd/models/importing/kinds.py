"""Kinds of files and folders that are imported: one module for each, and a line here.

A module has `recognises(source, head)`, where `head` are the first bytes of a file (none of a
folder), and `read(request)`, which makes a `ReadModel`. The first that recognises a file reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from edgekd.errors import InputError
from edgekd.models.importing.request import ImportRequest, ReadModel

__all__ = ["KINDS", "Kind", "kind_of"]

KINDS: Sequence[str] = (
    "edgekd.models.importing.refused",
    "edgekd.models.importing.hugging_face",
    "edgekd.models.importing.onnx_models",
    "edgekd.models.importing.exported_programs",
    "edgekd.models.importing.torchscript",
    "edgekd.models.importing.lightning_checkpoints",
    "edgekd.models.importing.state_dicts",
)
_HEAD = 64


class Kind(Protocol):
    """A module of `KINDS`."""

    def recognises(self, source: Path, head: bytes) -> bool:
        """Whether a file or folder is of this kind."""

    def read(self, request: ImportRequest) -> ReadModel:
        """The model in it.

        Raises:
            InputError: It is damaged, or holds no model of this kind.
            MissingDependencyError: A package that it needs is not installed.
        """


def kind_of(source: Path) -> Kind:
    """The kind of a file or folder.

    Raises:
        InputError: It is of none, or cannot be read.
    """
    head = b"" if source.is_dir() else _head(source)
    for name in KINDS:
        kind = cast(Kind, import_module(name))
        if kind.recognises(source, head):
            return kind
    shape = "a folder without config.json" if source.is_dir() else "a file of an unknown kind"
    message = f"{source} is {shape}"
    hint = (
        "give a state dict (.pth, .pt, .safetensors), a Lightning checkpoint, a Hugging Face "
        "folder, ONNX, an ExportedProgram (.pt2) or TorchScript"
    )
    raise InputError(message, hint)


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise InputError(message, "check the path and its permissions") from error
