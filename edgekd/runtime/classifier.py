"""The classifier that apps embed: a bundle in, a decision for a photo out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, Bundle, Manifest
from edgekd.errors import ArtefactError
from edgekd.runtime.decision import calibrated, decide
from edgekd.runtime.prediction import Prediction
from edgekd.runtime.preprocess import RULE, ImageSource, load_image
from edgekd.runtime.selftest import SelfTestReport, Vectors, run_selftest
from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions.base import Facts, Logits, Session

__all__ = ["Classifier"]


class Classifier:
    """A bundle, opened by its engine. Open one with `Classifier.open`.

    Safe to share between threads; the engine itself runs one image at a time.
    """

    def __init__(self, bundle: Bundle, session: Session) -> None:
        self._bundle = bundle
        self._session = session
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        threads: int | None = None,
        backend: str | None = None,
        verify: bool = True,
    ) -> Classifier:
        """Open a bundle folder or `.edgekd` file.

        Args:
            path: The bundle.
            threads: Threads of the engine; None leaves it to the engine.
            backend: Engine to use instead of the bundle's own (`onnx` runs a `jetson` bundle on
                a host, for its answers).
            verify: Check the SHA-256 of every file.

        Raises:
            InputError: There is nothing at `path`, or the backend is unknown.
            MissingDependencyError: The engine is not installed.
            ArtefactError: The bundle is damaged, of an unknown version or not finished.
        """
        bundle = Bundle.open(path, verify=verify)
        try:
            _check_runnable(bundle, backend)
            session = open_session(
                backend or bundle.manifest.lowering.backend, bundle.model_path, threads=threads
            )
            _check_session(bundle, session)
        except BaseException:
            bundle.close()
            raise
        return cls(bundle, session)

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._bundle.manifest

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the logits."""
        return self.manifest.model.classes

    @property
    def size_bytes(self) -> int:
        """Bytes of the model files."""
        return self._bundle.size_bytes

    @property
    def facts(self) -> Facts:
        """What the engine is and what was obtained from it."""
        return self._session.facts

    def preprocess(self, image: ImageSource) -> NDArray[np.uint8]:
        """The image as the network gets it, uint8 [S, S, 3] (see `edgekd.runtime.preprocess`)."""
        return load_image(image, self.manifest.model.image_size)

    def logits(self, image: NDArray[np.uint8]) -> Logits:
        """Raw logits [K] of an image uint8 [S, S, 3] that was preprocessed already."""
        with self._lock:
            logits: Logits = self._session.run(image[None])[0]
        return logits

    def predict(self, image: ImageSource) -> Prediction:
        """The decision for one photo.

        Args:
            image: A path, encoded bytes, or an RGB array uint8 [H, W, 3].

        Raises:
            ImageError: The image cannot be read.
        """
        start = time.perf_counter_ns()
        pixels = self.preprocess(image)
        ready = time.perf_counter_ns()
        logits = self.logits(pixels)
        done = time.perf_counter_ns()
        timings = {"preprocess": (ready - start) / 1e6, "model": (done - ready) / 1e6}
        return self._prediction(logits, timings)

    def predict_many(self, images: Iterable[ImageSource]) -> Iterator[Prediction]:
        """The decisions for several photos, one after the other."""
        return (self.predict(image) for image in images)

    def selftest(self, *, limit: int | None = None) -> SelfTestReport:
        """Run the bundle's self-test vectors on this machine.

        Raises:
            ArtefactError: The bundle carries none, or they are damaged.
        """
        if SELFTEST not in self.manifest.files:
            raise ArtefactError("the bundle carries no self-test vectors", "build it again")
        vectors = Vectors.load(self._bundle.folder / SELFTEST)
        with self._lock:
            return run_selftest(self._session, vectors, limit=limit)

    def close(self) -> None:
        """Give back the engine and what was unpacked, after the image that is under way."""
        with self._lock:
            self._session.close()
        self._bundle.close()

    def __enter__(self) -> Classifier:
        """The classifier itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _prediction(self, logits: Logits, timings: dict[str, float]) -> Prediction:
        decision = self.manifest.decision
        probabilities = calibrated(logits, decision.temperature)
        verdict, reasons = decide(probabilities, decision, self.classes)
        top = int(logits.argmax())
        return Prediction(
            label=self.classes[top],
            probability=float(probabilities[top]),
            probabilities=dict(zip(self.classes, probabilities.tolist(), strict=True)),
            decision=verdict,
            reasons=reasons,
            logits=tuple(logits.tolist()),
            timings_ms=timings,
        )


def _check_runnable(bundle: Bundle, backend: str | None) -> None:
    """Refuse what this runtime would compute wrongly or cannot compute at all."""
    manifest = bundle.manifest
    if manifest.task != "classification":
        message = f"the bundle is for the task {manifest.task!r}, not classification"
        raise ArtefactError(message, "open it with the edgekd that built it")
    if manifest.model.resize != RULE:
        message = f"the bundle wants the preprocessing {manifest.model.resize!r}, this is {RULE!r}"
        raise ArtefactError(message, "install the edgekd that built it, or build it again")
    lowering = manifest.lowering
    if lowering.completion == "finish-on-device" and backend in (None, lowering.backend):
        message = f"the bundle {bundle.path} must be finished on its device first"
        raise ArtefactError(message, f"run there: {lowering.completion_command}")


def _check_session(bundle: Bundle, session: Session) -> None:
    """The file itself must have the input and the outputs that the manifest says."""
    model = bundle.manifest.model
    shape = (1, model.image_size, model.image_size, 3)
    if session.input_shape == shape and session.classes == len(model.classes):
        return
    found = f"input {list(session.input_shape)} and {session.classes} outputs"
    session.close()
    message = f"the model file has {found}, the manifest {list(shape)} and {len(model.classes)}"
    raise ArtefactError(message, "build the bundle again")
