"""Files that hold no model that can be imported, although they look like one: refused by name."""

from __future__ import annotations

from pathlib import Path

from edgekd.errors import InputError
from edgekd.models.card import CARD
from edgekd.models.importing.request import ImportRequest, ReadModel

__all__ = ["read", "recognises"]

_POINTER = b"version https://git-lfs"
_ONNX_HINT = "convert it to ONNX (tf2onnx does), and import that"


def recognises(source: Path, head: bytes) -> bool:
    """Whether it is of one of these kinds."""
    return _reason(source, head) is not None


def read(request: ImportRequest) -> ReadModel:
    """Refuse it.

    Raises:
        InputError: Always.
    """
    source = request.source
    head = b"" if source.is_dir() else source.read_bytes()[:64]
    what, hint = _reason(source, head) or ("of no kind that is read", "give a file of weights")
    raise InputError(f"{source} is {what}", hint)


def _reason(source: Path, head: bytes) -> tuple[str, str] | None:
    """What it is, and what to do instead; nothing for other files."""
    if source.is_dir():
        return _of_folder(source)
    if not head:
        return "empty", "copy it again"
    if head.startswith(_POINTER):
        return "a pointer of Git LFS, not the file itself", "fetch it with git lfs pull"
    if head.startswith(b"\x89HDF"):
        return "a model of Keras (HDF5)", _ONNX_HINT
    if head[4:8] == b"TFL3":
        return "a model of TensorFlow Lite", "import what it was converted from"
    if head.lstrip().startswith((b"<", b"{")) and source.suffix in (".html", ".htm", ".json"):
        return "text, and no weights", "give the file of the weights, or the folder of both"
    return None


def _of_folder(folder: Path) -> tuple[str, str] | None:
    if (folder / CARD).is_file():
        return "a checkpoint of edgekd already", "measure it with edgekd eval"
    if (folder / "saved_model.pb").is_file():
        return "a SavedModel of TensorFlow", _ONNX_HINT
    return None
