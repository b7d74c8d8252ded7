"""What gives a bundle's features: a file that it carries, or the model file of an enrolled one."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, Bundle, HeadRecord, ModelFiles
from edgekd.bundle.features import read_features
from edgekd.errors import ArtefactError, InputError
from edgekd.lower.jobs.trial import answers_of
from edgekd.runtime.head import with_head
from edgekd.runtime.selftest import Vectors, run_selftest
from edgekd.runtime.sessions import open_session
from edgekd.runtime.task import device_task

__all__ = ["Extractor", "extractor_of"]


@dataclass(frozen=True)
class Extractor:
    """A file that gives features.

    Attributes:
        backend: Backend whose session runs it.
        precision: Its precision.
        model_file: Its main file, a key of `files`.
        files: Its files by name.
        size: F, the number of features.
        vectors: Self-test vectors of the file; of an enrolled bundle those of its own outputs.
    """

    backend: str
    precision: str
    model_file: str
    files: Mapping[str, bytes]
    size: int
    vectors: Vectors

    def features(
        self, bundle: Bundle, images: NDArray[np.uint8], step: Callable[[int], None]
    ) -> NDArray[np.float64]:
        """Features [N, F] of images uint8 [N, S, S, 3], once the self-test has passed here.

        Args:
            bundle: The bundle that the file is of.
            images: The images.
            step: Takes the number of images that are done, before each one.

        Raises:
            MissingDependencyError: The engine is not installed.
            ArtefactError: The file cannot be run here, answers otherwise than where it was built,
                or gives other features than the manifest says.
        """
        files = ModelFiles(self.model_file, contents=self.files)
        session = open_session(self.backend, files, threads=1)
        try:
            if session.output_shape != (1, self.size):
                message = f"{bundle.label} does not give the {self.size} features of its manifest"
                raise ArtefactError(message, "copy the bundle again, or build it again")
            manifest = bundle.manifest
            tested = with_head(session, manifest.head)
            report = run_selftest(tested, self.vectors, device_task(manifest.task))
            report.require_pass(bundle.label)
            return answers_of(session, images, step).outputs.astype(np.float64)
        finally:
            session.close()


def extractor_of(bundle: Bundle) -> Extractor:
    """The file that gives a bundle's features.

    Raises:
        InputError: There is none.
        ArtefactError: It is damaged.
    """
    manifest = bundle.manifest
    if manifest.head is not None:
        return _extractor_of_head(bundle, manifest.head)
    record, beside = manifest.features, read_features(bundle)
    if record is not None and beside is not None:
        vectors = Vectors.read(io.BytesIO(beside.read(SELFTEST)))
        files = {name: beside.read(name) for name in record.files if name != SELFTEST}
        return Extractor(
            record.backend, record.precision, beside.name, files, record.size, vectors
        )  # fmt: skip
    message = f"{bundle.label} has no features, which new classes are taught by"
    if record is not None:
        hint = "an app's bundle goes without them: enrol the bundle that `edgekd build` wrote"
    else:
        hint = "build it again with --features"
    raise InputError(message, hint)


def _extractor_of_head(bundle: Bundle, head: HeadRecord) -> Extractor:
    """The model file of an enrolled bundle."""
    manifest = bundle.manifest
    stem = PurePosixPath(manifest.model_file).stem
    files = {name: bundle.read(name) for name in manifest.files if PurePosixPath(name).stem == stem}
    with bundle.stream(SELFTEST) as stream:
        vectors = Vectors.read(stream)
    lowering = manifest.lowering
    return Extractor(
        lowering.backend, lowering.precision, manifest.model_file, files, head.size, vectors
    )
