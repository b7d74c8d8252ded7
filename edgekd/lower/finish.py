"""Finishing a bundle on its device, by its backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekd.bundle import Bundle
from edgekd.errors import InputError
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import FinishingBackend, ProgramBackend, check_via

__all__ = ["finish_bundle"]


def finish_bundle(
    path: Path,
    say: Callable[[str], None] = lambda line: None,
    *,
    evidence: Path | None = None,
    target: str | None = None,
    via: str | None = None,
) -> Path:
    """Build the engine of a bundle, which only its device can build, and put it into the bundle.

    Args:
        path: The bundle's folder.
        say: Takes one line for each step.
        evidence: File with the images that the engine is judged on; None looks beside the bundle.
        target: Name of the target that the bundle must be for; None accepts any.
        via: What gives the builder the network (see `ProgramBackend`); None is the usual.

    Returns:
        The manifest's path.

    Raises:
        InputError: The bundle is for another target, nothing of it is built on a device, or not
            via that library.
        ArtefactError: The bundle is damaged.
        EdgekdError: See `FinishingBackend.finish`.
    """
    with Bundle.open(path) as bundle:
        lowering, label = bundle.manifest.lowering, bundle.label
    if target is not None and target != lowering.target:
        message = f"the bundle {label} is for {lowering.target}, not for {target}"
        raise InputError(message, "leave --target out, or give a bundle of that target")
    backend = get_backend(lowering.backend)
    if not isinstance(backend, FinishingBackend):
        message = f"the bundle {label} is of {backend.name}; nothing of it is built on a device"
        raise InputError(message, "use it as it is")
    check_via(backend, via)
    several: object = backend
    if via is not None and isinstance(several, ProgramBackend):
        return several.finish(path, say, evidence=evidence, via=via)
    return backend.finish(path, say, evidence=evidence)
