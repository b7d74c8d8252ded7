"""Sessions: one opened model file on one engine. Each engine is imported when it is asked for.

Third parties add an engine through the entry-point group `edgekd.sessions`: its name is the
backend's, its object a callable `(model: Path, *, threads: int | None) -> Session`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from edgekd.errors import InputError
from edgekd.runtime.sessions.base import Session

__all__ = ["Opener", "available_backends", "open_session"]

_GROUP = "edgekd.sessions"
_ENGINES = {
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt",),
    "tflite": ("ai_edge_litert", "tflite_runtime"),
}
"""Built-in backends, each with the packages of which one has to be there."""


class Opener(Protocol):
    """Opens a model file; what an entry point of `edgekd.sessions` has to be."""

    def __call__(self, model: Path, *, threads: int | None = None) -> Session:
        """The session of `model`; `threads` of None leaves the number to the engine."""


def open_session(backend: str, model: Path, *, threads: int | None = None) -> Session:
    """Open a model file.

    Args:
        backend: `tflite`, `openvino`, `onnx`, `tensorrt`, or the name of an entry point.
        model: The main file (`model.tflite`, `model.xml`, `model.onnx`, `model.engine`).
        threads: Number of CPU threads; None leaves it to the engine.

    Raises:
        InputError: There is no such backend, or `threads` is not positive.
        MissingDependencyError: Its engine is not installed.
        ArtefactError: The file is missing, cannot be parsed, or does not map
            uint8 [1, S, S, 3] to float32 [1, K].
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}", "give a positive number of threads")
    return _opener(backend)(Path(model), threads=threads)


def available_backends() -> tuple[str, ...]:
    """Names of the backends whose engine is installed, sorted; nothing heavy is imported."""
    built_in = {name for name, packages in _ENGINES.items() if any(map(find_spec, packages))}
    return tuple(sorted(built_in | entry_points(group=_GROUP).names))


def _opener(backend: str) -> Opener:
    if backend in _ENGINES:
        module = import_module(f"edgekd.runtime.sessions.{backend}")
        return cast(Opener, module.open_file)
    for entry in entry_points(group=_GROUP):
        if entry.name == backend:
            return cast(Opener, entry.load())
    known = ", ".join(sorted(_ENGINES.keys() | entry_points(group=_GROUP).names))
    raise InputError(f"there is no session backend {backend!r}", f"known backends: {known}")
