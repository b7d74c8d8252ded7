"""A bundle's model file and its float student, each run by its own engine on labelled images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import Bundle, HeadRecord, ModelFiles
from edgekd.bundle.reference import read_reference
from edgekd.errors import InputError
from edgekd.extensions.backends import backend_named
from edgekd.lower.jobs.trial import Answers, answers_of
from edgekd.runtime import Classifier
from edgekd.runtime.head import with_head
from edgekd.runtime.sessions import open_session

__all__ = ["BundleFile", "check_runs_here", "float_reference", "model_file", "run_file"]

_THREADS = 1
"""As in the trials of a build, so that times are comparable."""


@dataclass(frozen=True)
class BundleFile:
    """One file of a bundle with the engine that runs it here.

    Attributes:
        title: Name for people.
        backend: Backend whose session runs it.
        files: The file.
        is_model: Whether it is the bundle's model file.
        head: What turns its features into outputs, of an enrolled bundle.
    """

    title: str
    backend: str
    files: ModelFiles
    is_model: bool
    head: HeadRecord | None = None

    @property
    def sha256(self) -> str:
        """Hash of the main file."""
        return hashlib.sha256(self.files.read()).hexdigest()


def model_file(bundle: Bundle) -> BundleFile:
    """The model file, or what a device builds its engine from.

    Raises:
        InputError: The bundle holds an engine that a device has built.
    """
    lowering = bundle.manifest.lowering
    if lowering.engine is not None:
        message = f"the bundle {bundle.label} holds an engine that a device has built"
        hint = "certify the bundle as the host wrote it, then finish it on the device"
        raise InputError(message, hint)
    unfinished = lowering.completion != "complete"
    backend = backend_named(lowering.backend).host_session if unfinished else lowering.backend
    manifest = bundle.manifest
    files = bundle.model_for(backend)
    return BundleFile(manifest.model_file, backend, files, is_model=True, head=manifest.head)


def float_reference(bundle: Bundle) -> BundleFile:
    """The float student: the file that the bundle carries for it, or its own where that is fp32.

    Raises:
        InputError: The bundle has neither.
        ArtefactError: The float student's files are damaged.
    """
    record, files = bundle.manifest.reference, read_reference(bundle)
    if record is not None and files is not None:
        return BundleFile(f"reference/{files.name}", record.backend, files, is_model=False)
    if bundle.manifest.lowering.precision == "fp32":
        return model_file(bundle)
    precision = bundle.manifest.lowering.precision
    message = f"{bundle.label} has no float student to compare its {precision} file with"
    if record is not None:
        hint = "an app's bundle goes without it: certify the bundle that `edgekd build` wrote"
    else:
        hint = (
            "build it again with this edgekd and --research, which puts it beside the file, or "
            "with --precision fp32, which is one"
        )
    raise InputError(message, hint)


def check_runs_here(path: Path, backend: str) -> None:
    """Open a bundle as an app does, and run all of its self-test vectors.

    Raises:
        MissingDependencyError: The engine is not installed.
        ArtefactError: It does not run here, or answers otherwise than where it was built.
    """
    with Classifier.open(path, backend=backend, selftest=False, verify=False) as classifier:
        classifier.selftest().require_pass(str(path))


def run_file(file: BundleFile, images: NDArray[np.uint8], step: Callable[[int], None]) -> Answers:
    """Outputs of a file for images uint8 [N, S, S, 3], with its times.

    Args:
        file: The file.
        images: The images.
        step: Called with 1 before each image.

    Raises:
        MissingDependencyError: The engine is not installed.
        ArtefactError: The file cannot be opened.
    """
    session = with_head(open_session(file.backend, file.files, threads=_THREADS), file.head)
    try:
        return answers_of(session, images, lambda done: step(1))
    finally:
        session.close()
