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
from edgekd.runtime.capture import FEATURES, CaptureQuality, examine_photo, problems
from edgekd.runtime.head import with_head
from edgekd.runtime.prediction import Prediction
from edgekd.runtime.preprocess import RULE, ImageSource, load_image
from edgekd.runtime.selftest import SelfTestReport, Vectors, run_selftest
from edgekd.runtime.sessions import is_backend, open_session
from edgekd.runtime.sessions.base import Facts, Output, Session
from edgekd.runtime.sessions.processes import Owner
from edgekd.runtime.task import DeviceTask, device_task

__all__ = ["Classifier"]

_VECTORS_AT_OPEN = 2


class Classifier:
    """An opened bundle with its engine. Open one with `Classifier.open`.

    Threads may share it; the engine itself runs one image at a time. Processes may not: a server
    that forks its workers must open the bundle in each of them. In a process that was forked
    after the bundle was opened, `predict` raises `ForkedError` and `close` does nothing.
    """

    def __init__(self, bundle: Bundle, session: Session, *, quality: bool = True) -> None:
        self._bundle = bundle
        self._session = session
        self._task = device_task(bundle.manifest.task)
        self._capture = bundle.manifest.capture if quality else None
        self._lock = threading.Lock()
        self._owner = Owner(self)

    @classmethod
    def open(
        cls,
        source: str | Path | bytes,
        *,
        threads: int | None = None,
        backend: str | None = None,
        verify: bool = True,
        public_key: str | Path | bytes | None = None,
        accelerator: str | None = None,
        require: bool = False,
        selftest: bool = True,
        quality: bool = True,
    ) -> Classifier:
        """Open a bundle folder or `.edgekd` file, or the bytes of such a file.

        Args:
            source: The bundle. Bytes (which an app may have decrypted) never touch a disk.
            threads: Threads of the engine; None leaves it to the engine.
            backend: Engine to use instead of that of the bundle (`onnx` runs a `jetson` bundle on
                a host, to obtain its answers).
            verify: Check the SHA-256 of every file.
            public_key: An Ed25519 public key (PEM, a path of one, or its 32 bytes): only a bundle
                that was signed with its private half is opened.
            accelerator: `cpu`, `gpu`, `npu` or the engine's name of a device; None is the CPU.
            require: Fail where the accelerator is not obtained for the whole network; otherwise
                `warnings` reports it.
            selftest: Run two of the bundle's self-test vectors, so that an engine that computes
                wrongly on this machine is detected before its first patient.
            quality: Measure each photo and request another one where it is not good enough.

        Raises:
            InputError: There is nothing at `source`, it or an option is of a type that cannot be
                used, `backend` is unknown, or `threads` is out of range (see `open_session`).
            MissingDependencyError: The engine is not installed.
            DeviceUnreachableError: `require` is set and the accelerator was not obtained.
            ArtefactError: The bundle is damaged, unsigned, of an unknown version or not finished,
                for a task or an engine that is unknown here, or its self-test fails here.
        """
        bundle = Bundle.open(source, verify=verify, public_key=public_key)
        _check_runnable(bundle, backend)
        device_task(bundle.manifest.task)  # raises before an engine is started
        session = open_session(
            backend or bundle.manifest.lowering.backend,
            bundle.model_for(backend),
            threads=threads,
            accelerator=accelerator,
            require=require,
        )
        session = with_head(session, bundle.manifest.head)
        classifier = cls(bundle, session, quality=quality)
        try:
            _check_session(bundle, session, classifier._task)
            if selftest and SELFTEST in bundle.manifest.files:
                classifier.selftest(limit=_VECTORS_AT_OPEN).require_pass()
        except BaseException:
            classifier.close()
            raise
        return classifier

    @property
    def manifest(self) -> Manifest:
        """The manifest of the bundle."""
        return self._bundle.manifest

    @property
    def bundle_sha256(self) -> str:
        """Hex SHA-256 of the bundle (see `Bundle.sha256`), by which reports name it."""
        return self._bundle.sha256

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes, findings or values in the order of the outputs."""
        return self.manifest.model.classes

    @property
    def size_bytes(self) -> int:
        """Bytes of the model files."""
        return self._bundle.size_bytes

    @property
    def facts(self) -> Facts:
        """The engine with its version, and the options that it obtained."""
        return self._session.facts

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each option that was not obtained and each floor that is not met.

        And one where the bundle is not certified, or was enrolled.
        """
        return (*self._session.warnings, *self.manifest.warnings)

    def preprocess(self, image: ImageSource) -> NDArray[np.uint8]:
        """The image as the network gets it, uint8 [S, S, 3] (see `edgekd.runtime.preprocess`)."""
        return load_image(image, self.manifest.model.image_size)

    def logits(self, image: NDArray[np.uint8]) -> Output:
        """Raw output (logits [K], of a classifier) for an image uint8 [S, S, 3], preprocessed."""
        self._owner.require()  # before the lock, which a fork may have copied while held
        with self._lock:
            output: Output = self._session.run(image[None])[0]
        return output

    def predict(self, image: ImageSource) -> Prediction:
        """The decision for one photo.

        Args:
            image: A path, encoded bytes, a binary file object, or an RGB array uint8 [H, W, 3].

        Raises:
            ForkedError: This process was forked after the bundle was opened.
            ImageError: The image cannot be read.
            MissingDependencyError: It is a DICOM file and pydicom is not installed.
        """
        self._owner.require()
        start = time.perf_counter_ns()
        pixels = self.preprocess(image)
        ready = time.perf_counter_ns()
        rule = self._capture
        quality = None if rule is None else examine_photo(pixels, rule)
        seen = time.perf_counter_ns()
        output = self.logits(pixels)
        done = time.perf_counter_ns()
        timings = {
            "preprocess": (ready - start) / 1e6,
            "quality": (seen - ready) / 1e6,
            "model": (done - seen) / 1e6,
        }
        return self._prediction(output, quality, timings)

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
        self._owner.require()
        with self._bundle.stream(SELFTEST) as stream:
            vectors = Vectors.read(stream, limit=limit)
        with self._lock:
            return run_selftest(self._session, vectors, self._task)

    def close(self) -> None:
        """Release the engine, after the image that is being processed."""
        if self._owner.is_here:
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

    def _prediction(
        self, output: Output, quality: CaptureQuality | None, timings: dict[str, float]
    ) -> Prediction:
        judgement = self._task.judge(output, self.manifest.decision, self.classes)
        faults = problems(quality, self._capture) if quality and self._capture else ()
        return Prediction(
            label=judgement.label,
            probability=judgement.probability,
            probabilities=judgement.probabilities,
            decision="retake" if faults else judgement.verdict,
            reasons=faults + judgement.reasons,
            conformal_set=judgement.conformal_set,
            quality=quality,
            logits=tuple(output.ravel().tolist()),
            timings_ms=timings,
            findings=judgement.findings,
            values=judgement.values,
        )


def _check_runnable(bundle: Bundle, backend: str | None) -> None:
    """Refuse a bundle that this runtime would run wrongly or cannot run at all."""
    manifest = bundle.manifest
    if manifest.model.resize != RULE:
        message = f"the bundle wants the preprocessing {manifest.model.resize!r}, this is {RULE!r}"
        raise ArtefactError(message, "install the edgekd that built it, or build it again")
    known = manifest.capture and manifest.capture.appearance
    if known and len(known.mean) != FEATURES:
        message = f"the bundle knows {len(known.mean)} features of a photo, this is {FEATURES}"
        raise ArtefactError(message, "install the edgekd that built it, or build it again")
    lowering = manifest.lowering
    if not backend and not is_backend(lowering.backend):
        engine = lowering.backend
        message = f"the bundle wants the engine {engine!r}, which this edgekd does not have"
        raise ArtefactError(message, "install the edgekd that built it, or what brings the engine")
    if lowering.completion == "finish-on-device" and backend in (None, lowering.backend):
        message = f"the bundle {bundle.label} must be finished on its device first"
        raise ArtefactError(message, f"run there: {lowering.completion_command}")


def _check_session(bundle: Bundle, session: Session, task: DeviceTask) -> None:
    """Refuse a file whose input or output has another shape than the manifest describes."""
    model = bundle.manifest.model
    described = (1, model.image_size, model.image_size, 3), task.output_shape(model.classes)
    if (session.input_shape, session.output_shape) == described:
        return
    shapes = [list(shape) for shape in (session.input_shape, session.output_shape, *described)]
    message = "the model file maps {} to {}, the manifest describes {} to {}".format(*shapes)
    raise ArtefactError(message, "build the bundle again")
