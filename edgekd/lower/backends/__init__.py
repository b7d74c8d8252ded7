"""Backends: deploy graph → model file, one module per engine, imported when asked for.

Third parties add one through the entry-point group `edgekd.backends`: its name is the
backend's, its object a class without arguments that is a `Backend`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.lower.backends.base import Backend

__all__ = ["Backend", "backend_names", "get_backend"]

_GROUP = "edgekd.backends"
_BUILT_IN = {
    "onnx": "OnnxBackend",
    "openvino": "OpenVinoBackend",
    "tensorrt": "TensorRtBackend",
    "tflite": "TfliteBackend",
}


def backend_names() -> tuple[str, ...]:
    """Names of all backends, sorted; nothing is imported."""
    return tuple(sorted(_BUILT_IN.keys() | entry_points(group=_GROUP).names))


def get_backend(name: str) -> Backend:
    """The backend of that name; its tools are imported only when it lowers.

    Raises:
        InputError: There is no such backend.
        MissingDependencyError: A third party's lacks something that it imports.
        ArtefactError: A third party's cannot be loaded, or is no `Backend`.
    """
    if name in _BUILT_IN:
        module = import_module(f"edgekd.lower.backends.{name}")
        return cast(Backend, getattr(module, _BUILT_IN[name])())
    for entry in entry_points(group=_GROUP):
        if entry.name == name:
            return _loaded(entry)
    known = ", ".join(backend_names())
    raise InputError(f"there is no lowering backend {name!r}", f"known backends: {known}")


def _loaded(entry: EntryPoint) -> Backend:
    """A third party's backend: whatever it does wrong is told as its own."""
    owner = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
    hint = f"install another version of {owner.split()[0]}, or uninstall it"
    try:
        backend = entry.load()()
    except ImportError as error:
        message = f"the backend {entry.name} of {owner} does not import: {error}"
        raise MissingDependencyError(
            error.name or owner, "lower", "load a backend", message=message, hint=hint
        ) from error
    except Exception as error:
        message = f"the backend {entry.name} of {owner} cannot be loaded: {error!r}"
        raise ArtefactError(message, hint) from error
    if not isinstance(backend, Backend):
        message = f"the backend {entry.name} of {owner} is a {type(backend).__name__}, no Backend"
        raise ArtefactError(message, hint)
    return backend
