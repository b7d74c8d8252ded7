"""Sessions: one opened model file on one engine, which is imported when it is used.

`edgekd.extensions.backends` lists the engines; a backend's `session` is an `Opener`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import InputError
from edgekd.extensions.backends import BACKENDS, backend_named, loadable_backends
from edgekd.runtime.sessions.base import Session

__all__ = ["Opener", "available_backends", "check_backend", "is_backend", "open_session"]


class Opener(Protocol):
    """Opens a model file: the function that a backend's `session` names."""

    def __call__(
        self,
        model: ModelFiles,
        *,
        threads: int | None = None,
        accelerator: str | None = None,
        require: bool = False,
    ) -> Session:
        """The session of `model`, as `open_session` describes it.

        Files in memory stay there: none of their content is written to a disk.
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
        backend: A name of `edgekd.extensions.backends.BACKENDS`: `tflite`, `onnx`, ….
        model: The main file (`model.tflite`, `model.xml`, `model.onnx`, `model.engine`), on disk
            or in memory. A file on disk is opened by its path, so that the engine may map it.
        threads: Number of CPU threads; None leaves it to the engine.
        accelerator: The device: `cpu`, `gpu`, `npu`, or the engine's own name (a provider
            of ONNX Runtime such as `CUDAExecutionProvider`, a device of OpenVINO such as `GPU.0`
            or `AUTO`, for `tflite` the path of a delegate's library such as `libedgetpu.so.1`).
            None is the engine's CPU, for `tensorrt` the GPU. The session's `facts` state what was
            obtained; if that is less, `warnings` explain it and the CPU computes.
        require: Fail if something was requested and not obtained. With `tflite` that includes a
            graph that the engine's CPU delegate takes in several pieces.

    Raises:
        InputError: There is no such backend, `accelerator` is empty, or `threads` is not
            a whole number, less than 1, or more than this machine can use.
        MissingDependencyError: The engine is not installed.
        DeviceUnreachableError: `require` is set and something requested was not obtained; or the
            GPU that an engine file needs does not answer.
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
    return tuple(sorted(each.name for each in loadable_backends() if each.engine.installed))


def is_backend(name: str) -> bool:
    """Whether there is a backend of that name, with or without its engine installed."""
    return name in BACKENDS


def check_backend(name: str) -> None:
    """Load the function that opens a backend's files.

    Raises:
        InputError: There is no such backend.
        MissingDependencyError: A third-party backend imports a package that is not installed.
        ArtefactError: A third-party backend cannot be loaded, or is not callable.
    """
    _opener(name)


_THREADS_A_CPU, _THREADS_ANYWHERE = 4, 16


def _check_threads(threads: object) -> None:
    """Refuse an invalid number of threads, or so many that they would stall the machine."""
    if threads is None:
        return
    most = max(_THREADS_ANYWHERE, _THREADS_A_CPU * (os.cpu_count() or 1))
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise InputError(f"threads is {threads!r}", "give a whole number of threads")
    if not 1 <= threads <= most:
        raise InputError(f"threads is {threads}", f"give from 1 to {most} on this machine")


def _check_name(kind: str, name: object, hint: str) -> None:
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise InputError(f"the {kind} has no name: it is {name!r}", hint)


def _opener(backend: str) -> Opener:
    place = backend_named(backend).session
    opener: Opener = BACKENDS.load_part(backend, "session", place, callable)
    return opener
