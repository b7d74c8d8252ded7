"""Checking this runtime against vectors in a folder, as runtimes in other languages do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgekd.bundle import Bundle
from edgekd.conformance.decisions import decide
from edgekd.conformance.format import (
    VECTORS_VERSION,
    BundleCase,
    CaptureCase,
    DecisionCase,
    PhotoCase,
    PlaneFile,
    PlanesCase,
    PredictionCase,
    Refusal,
    Vectors,
    plain,
    refusal_of,
)
from edgekd.conformance.planes import Frame, Plane, square_of_planes
from edgekd.conformance.write import VECTORS
from edgekd.errors import ArtefactError, EdgekdError, MissingDependencyError
from edgekd.extensions.backends import backend_named
from edgekd.runtime import Classifier
from edgekd.runtime.capture import appearance_features, examine_photo, problems, views
from edgekd.runtime.preprocess import load_image

__all__ = ["failures", "read_vectors"]


def read_vectors(folder: Path) -> Vectors:
    """The vectors of a folder.

    Raises:
        ArtefactError: They are missing, damaged, or of another major version.
    """
    try:
        vectors = msgspec.json.decode((folder / VECTORS).read_bytes(), type=Vectors)
    except (OSError, msgspec.MsgspecError) as error:
        message = f"{folder} has no vectors that can be read: {error}"
        raise ArtefactError(message, "write them again: edgekd conformance --out DIR") from error
    if vectors.vectors_version.split(".")[0] != VECTORS_VERSION.split(".")[0]:
        message = f"the vectors have version {vectors.vectors_version}, this is {VECTORS_VERSION}"
        raise ArtefactError(message, "write them again: edgekd conformance --out DIR")
    return vectors


def failures(folder: Path) -> list[str]:
    """One line for each case in which this runtime's answer differs; empty where none does."""
    vectors = read_vectors(folder)
    checks: tuple[tuple[tuple[Any, ...], Callable[[Path, Any], Iterator[str]]], ...] = (
        (vectors.photos, _photo),
        (vectors.planes, _planes),
        (vectors.captures, _capture),
        (vectors.decisions, _decision),
        (vectors.bundles, _bundle),
        (vectors.predictions, _prediction),
    )
    return [
        f"{type(case).__name__} {case.id}: {difference}"
        for cases, check in checks
        for case in cases
        for difference in check(folder, case)
    ]


def _photo(folder: Path, case: PhotoCase) -> Iterator[str]:
    try:
        square = load_image((folder / case.photo).read_bytes(), case.size)
    except EdgekdError as error:
        yield from _refused(error, case.refused)
        return
    if case.square is None:
        yield "it is read, not refused"
        return
    expected = np.frombuffer((folder / case.square).read_bytes(), np.uint8)
    difference = int(np.abs(square.reshape(-1).astype(int) - expected).max())
    if difference > case.max_difference:
        yield f"a channel differs by {difference}, more than {case.max_difference}"


def _planes(folder: Path, case: PlanesCase) -> Iterator[str]:
    def plane(stored: PlaneFile) -> Plane:
        content = (folder / stored.file).read_bytes()
        return Plane(content, stored.row_stride, stored.pixel_stride)

    frame = Frame(
        plane(case.y), plane(case.u), plane(case.v), case.width, case.height, case.turn
    )  # fmt: skip
    try:
        square = square_of_planes(frame, case.size)
    except EdgekdError as error:
        yield from _refused(error, case.refused)
        return
    if case.refused is not None or case.square is None:
        yield "it is read, not refused"
    elif square.tobytes() != (folder / case.square).read_bytes():
        yield "the square is another one"


def _capture(folder: Path, case: CaptureCase) -> Iterator[str]:
    raw = np.frombuffer((folder / case.square).read_bytes(), np.uint8)
    square = raw.reshape(case.size, case.size, 3)
    quality = examine_photo(square, case.rule)
    for name, value in quality.measures.to_dict().items():
        if abs(value - case.measures[name]) > case.tolerance:
            yield f"{name} is {value}, not {case.measures[name]}"
    features = appearance_features(views(square))
    if np.abs(features - np.array(case.features)).max() > case.tolerance:
        yield "a feature of the appearance differs"
    if not _close(quality.distance, case.distance, case.tolerance):
        yield f"the distance is {quality.distance}, not {case.distance}"
    reasons = [(reason.code, reason.text) for reason in problems(quality, case.rule)]
    yield from _differs("the reasons are", reasons, [(r.code, r.text) for r in case.reasons])


def _close(value: float | None, expected: float | None, tolerance: float) -> bool:
    if value is None or expected is None:
        return value is expected
    return abs(value - expected) <= tolerance * max(1.0, abs(expected))


def _decision(_: Path, case: DecisionCase) -> Iterator[str]:
    answer = decide(case.id, case.task, case.classes, case.decision, case.logits)
    for name in ("label", "verdict", "reasons", "conformal_set", "findings"):
        yield from _differs(f"{name} is", getattr(answer, name), getattr(case, name))
    for name, expected in case.probabilities.items():
        value, expected_value = plain(answer.probabilities[name]), plain(expected)
        if not np.isclose(value, expected_value, rtol=0, atol=case.tolerance, equal_nan=True):
            yield f"the probability of {name} is {value}, not {expected_value}"


def _bundle(folder: Path, case: BundleCase) -> Iterator[str]:
    key = (folder / case.public_key).read_bytes() if case.public_key else None
    content = (folder / case.bundle).read_bytes()
    try:
        if case.runs:
            Classifier.open(content, public_key=key).close()
        with Bundle.open(content, public_key=key) as bundle:
            manifest, sha256, state = bundle.manifest, bundle.sha256, bundle.signature
            warnings = manifest.warnings
    except EdgekdError as error:
        if isinstance(error, MissingDependencyError) and case.runs:
            return  # its engine is not here
        yield from _refused(error, case.refused)
        return
    if case.refused is not None:
        yield "it is opened, not refused"
        return
    coverage = manifest.capture.coverage if manifest.capture else None
    opened = (sha256, state, manifest.model.classes, coverage, warnings)
    expected = (case.sha256, case.signature, case.classes, case.coverage, case.warnings)
    yield from _differs("it is opened as", opened, expected)


def _prediction(folder: Path, case: PredictionCase) -> Iterator[str]:
    if not backend_named(case.backend).engine.installed:
        return
    content = (folder / case.bundle).read_bytes()
    with Classifier.open(content, threads=1) as classifier:
        prediction = classifier.predict((folder / case.photo).read_bytes())
    difference = float(np.abs(np.subtract(prediction.logits, case.logits)).max())
    if not difference <= case.logits_tolerance:
        yield f"an output differs by {difference}, more than {case.logits_tolerance}"
    reasons = tuple(reason.code for reason in prediction.reasons)
    answer = (prediction.label, prediction.decision, reasons, prediction.conformal_set)
    yield from _differs(
        "the answer is", answer, (case.label, case.decision, case.reasons, case.conformal_set)
    )


def _refused(error: EdgekdError, expected: Refusal | None) -> Iterator[str]:
    if expected is None:
        yield f"it is refused: {error.message}"
        return
    refusal = refusal_of(
        error, start="" if expected.exact else error.message[: len(expected.message)]
    )
    yield from _differs("the error is", refusal, expected)


def _differs(claim: str, value: object, expected: object) -> Iterator[str]:
    if value != expected:
        yield f"{claim} {value!r}, not {expected!r}"
