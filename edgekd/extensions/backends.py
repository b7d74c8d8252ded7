"""Backends: inference engines, with the way a network is lowered for them and their files are run.

A backend is a `BackendDescriptor`, which imports nothing: lowering, sessions, `edgekd doctor`, the
examination of a board and the store's keys all read it, on hosts and on devices.

    lowering    `edgekd.lower.backends.Backend`      deploy graph → files
    session     `edgekd.runtime.sessions.Opener`     file → opened session

edgekd's own descriptors are in `edgekd/extensions/engines/`, one file a backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from edgekd.errors import ArtefactError, EdgekdError
from edgekd.extensions.registry import Registry

__all__ = [
    "BACKENDS",
    "BackendDescriptor",
    "Completion",
    "Requirement",
    "backend_named",
    "loadable_backends",
]

Completion = Literal["complete", "finish-on-device"]
"""Whether the device runs the lowered file itself, or builds its engine from it."""


@dataclass(frozen=True)
class Requirement:
    """Alternative packages, of which one has to be importable.

    Attributes:
        modules: Any one of these is enough; the first that imports is used.
        distributions: What `pip` calls their packages, the recommended one first.
    """

    modules: tuple[str, ...]
    distributions: tuple[str, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        """Top-level packages of the modules, which can be looked up without an import."""
        return tuple(module.partition(".")[0] for module in self.modules)

    @property
    def installed(self) -> bool:
        """Whether one of the packages is installed; nothing is imported."""
        return any(find_spec(package) is not None for package in self.packages)


@dataclass(frozen=True)
class BackendDescriptor:
    """One backend.

    Attributes:
        name: Name, as in target.toml, manifests and on the command line.
        title: The engine's name, for people.
        lowering: Place of the class that lowers, as `module:attribute`: a subclass of
            `edgekd.lower.backends.Backend`, which is called with this descriptor.
        session: Place of the function that opens a file, an `edgekd.runtime.sessions.Opener`.
        engine: Packages that a device needs to run the files.
        model_file: Name of the main file that lowering writes into a bundle.
        extra: The extra of edgekd that installs the engine; empty for a third party's.
        tools: Modules that lowering imports, all of them needed: `edgekd doctor` imports those of
            edgekd's own backends, and lowers and runs a network by a third party's.
        tools_extra: The extra of edgekd that installs the tools.
        versions: Distributions whose version the lowered file or its outputs depend on, beside
            torch, timm and NumPy; they are part of the keys of the store.
        completion: See `Completion`.
        host: Backend whose session runs the lowered file on a host; empty for its own.
        timer: Program that times the files on a phone without a Python; None where there is none.
        diagnosis: Place of the function that examines whether this machine can run the files,
            `(target name) → findings`; empty where importing the engine is enough.
    """

    name: str
    title: str
    lowering: str
    session: str
    engine: Requirement
    model_file: str
    extra: str = ""
    tools: tuple[str, ...] = ()
    tools_extra: str = "lower"
    versions: tuple[str, ...] = ()
    completion: Completion = "complete"
    host: str = ""
    timer: Literal["benchmark_model"] | None = None
    diagnosis: str = ""

    @property
    def host_session(self) -> str:
        """Name of the backend whose session runs the lowered file on a host."""
        return self.host or self.name


BACKENDS = Registry(
    "backend",
    "edgekd.backends",
    {
        "onnx": "edgekd.extensions.engines.onnx:BACKEND",
        "openvino": "edgekd.extensions.engines.openvino:BACKEND",
        "tensorrt": "edgekd.extensions.engines.tensorrt:BACKEND",
        "tflite": "edgekd.extensions.engines.tflite:BACKEND",
    },
    extra="lower",
)
"""edgekd's own backends, and those of entry points: each a `BackendDescriptor`."""


def backend_named(name: str) -> BackendDescriptor:
    """The descriptor of a backend.

    Raises:
        InputError: There is no such backend.
        MissingDependencyError, ArtefactError: A third party's descriptor cannot be loaded.
    """
    descriptor: BackendDescriptor = BACKENDS.load(
        name, lambda loaded: isinstance(loaded, BackendDescriptor)
    )
    if descriptor.name != name:
        message = f"the backend {name} of {BACKENDS.owner(name)} is described as {descriptor.name}"
        raise ArtefactError(message, "name the entry point as its descriptor")
    return descriptor


def loadable_backends() -> list[BackendDescriptor]:
    """Descriptors of all backends; a third party's that does not load is left out."""
    descriptors = []
    for name in BACKENDS.names():
        try:
            descriptors.append(backend_named(name))
        except EdgekdError:  # `edgekd doctor` reports it
            continue
    return descriptors
