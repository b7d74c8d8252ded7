"""Lowering backends: deploy graph → model file, imported when they are used.

They are registered in `edgekd.extensions.backends`.
"""

from __future__ import annotations

from edgekd.extensions.backends import BACKENDS, backend_named
from edgekd.lower.backends.base import Backend

__all__ = ["Backend", "backend_names", "get_backend"]


def backend_names() -> tuple[str, ...]:
    """Names of all backends, sorted; nothing is imported."""
    return tuple(sorted(BACKENDS.names()))


def get_backend(name: str) -> Backend:
    """The lowering backend of that name; its tools are imported only when it lowers.

    Raises:
        InputError: There is no such backend.
        MissingDependencyError: A third party's backend lacks a package that it imports.
        ArtefactError: A third party's backend cannot be loaded, or is no `Backend`.
    """
    descriptor = backend_named(name)
    backend: type[Backend] = BACKENDS.load_part(
        name, "lowering", descriptor.lowering, lambda kind: issubclass(kind, Backend)
    )
    return backend(descriptor)
