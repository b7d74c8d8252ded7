"""Sessions: one opened model file on one engine. Each engine is imported when it is asked for.

Third parties add an engine through the entry-point group `edgekd.sessions`: its name is the
backend's, its object an `Opener`.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.runtime.sessions.base import Session

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Opener", "available_backends", "check_backend", "is_backend", "open_session"]

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

    def __call__(
        self,
        model: ModelFiles,
        *,
        threads: int | None = None,
        accelerator: str | None = None,
        require: bool = False,
    ) -> Session:
        """The session of `model`, as `open_session` describes it.

        Files that are in memory stay there: nothing of them is written to a disk.
        """


def open_session(
    backend: str,
    model: Path | ModelFiles,
    *,
    threads: int | None = None,
    accelerator: str | None = None,
    require: bool = False,
) -> Session:
    """Open a model file.

    Args:
        backend: `tflite`, `openvino`, `onnx`, `tensorrt`, or the name of an entry point.
        model: The main file (`model.tflite`, `model.xml`, `model.onnx`, `model.engine`), on disk
            or in memory. What is on disk is opened by its path, so that the engine may map it.
        threads: Number of CPU threads; None leaves it to the engine.
        accelerator: What is to compute: `cpu`, `gpu`, `npu`, or the engine's own word (a provider
            of ONNX Runtime such as `CUDAExecutionProvider`, a device of OpenVINO such as `GPU.0`
            or `AUTO`, for `tflite` the path of a delegate's library such as `libedgetpu.so.1`).
            None is the engine's CPU, for `tensorrt` the GPU. The session's `facts` say what was
            obtained; where it is less, `warnings` say so and the CPU computes.
        require: Refuse to open where something was asked for and not obtained. With `tflite` that
            is also a graph that the engine's CPU delegate takes in several pieces.

    Raises:
        InputError: There is no such backend, `accelerator` is empty, or `threads` is no whole
            number, less than 1, or more than this machine can have a use for.
        MissingDependencyError: Its engine is not installed.
        DeviceUnreachableError: `require` is set and not all that was asked for was obtained; or
            the GPU that an engine file needs does not answer.
        ArtefactError: The file is missing, cannot be parsed, or does not map
            uint8 [1, S, S, 3] to float32 [1, …].
    """
    _check_threads(threads)
    _check_name("accelerator", accelerator, "give cpu, gpu, npu or the engine's word")
    _check_name("backend", backend, "give the name of one")
    files = model if isinstance(model, ModelFiles) else ModelFiles.on_disk(Path(model))
    opener = _opener(backend)
    return opener(files, threads=threads, accelerator=accelerator, require=require)


def available_backends() -> tuple[str, ...]:
    """Names of the backends whose engine is installed, sorted; nothing heavy is imported."""
    from importlib.util import find_spec

    built_in = {name for name, packages in _ENGINES.items() if any(map(find_spec, packages))}
    return tuple(sorted(built_in | _foreign().keys()))


def is_backend(name: str) -> bool:
    """Whether there is a backend of that name, be its engine installed or not."""
    return name in _ENGINES or name in _foreign()


def check_backend(name: str) -> None:
    """Load what opens a backend's files.

    Raises:
        InputError: There is no such backend.
        MissingDependencyError: A third party's lacks something that it imports.
        ArtefactError: A third party's cannot be loaded, or opens nothing.
    """
    _opener(name)


_THREADS_A_CPU, _THREADS_ANYWHERE = 4, 16


def _check_threads(threads: object) -> None:
    """More than some a processor only wait for one another, and thousands keep a machine busy."""
    if threads is None:
        return
    most = max(_THREADS_ANYWHERE, _THREADS_A_CPU * (os.cpu_count() or 1))
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise InputError(f"threads is {threads!r}", "give a whole number of threads")
    if not 1 <= threads <= most:
        raise InputError(f"threads is {threads}", f"give from 1 to {most} on this machine")


def _check_name(what: str, name: object, hint: str) -> None:
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise InputError(f"the {what} has no name: it is {name!r}", hint)


def _opener(backend: str) -> Opener:
    if backend in _ENGINES:
        module = import_module(f"edgekd.runtime.sessions.{backend}")
        return cast(Opener, module.open_file)
    foreign = _foreign()
    if backend in foreign:
        return _loaded(foreign[backend])
    known = ", ".join(sorted(_ENGINES.keys() | foreign.keys()))
    raise InputError(f"there is no session backend {backend!r}", f"known backends: {known}")


def _loaded(entry: EntryPoint) -> Opener:
    """A third party's opener: whatever it does wrong is told as its own."""
    owner = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
    hint = f"install another version of {owner.split()[0]}, or uninstall it"
    try:
        opener = entry.load()
    except ImportError as error:
        message = f"the session {entry.name} of {owner} does not import: {error}"
        raise MissingDependencyError(
            error.name or owner, "onnx", "open a model file", message=message, hint=hint
        ) from error
    except Exception as error:
        message = f"the session {entry.name} of {owner} cannot be loaded: {error!r}"
        raise ArtefactError(message, hint) from error
    if not callable(opener):
        message = f"the session {entry.name} of {owner} is a {type(opener).__name__}, no opener"
        raise ArtefactError(message, hint)
    return cast(Opener, opener)


def _foreign() -> dict[str, EntryPoint]:
    """Third parties' openers by name."""
    # Imported here: it takes 6 ms of a device's start, and most have the built-in engines alone.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=_GROUP)}
