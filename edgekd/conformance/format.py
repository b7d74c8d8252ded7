"""The format of conformance vectors, `vectors.json`, typed.

Files are named relative to the folder of `vectors.json`. A number that is not finite is one of the
words `nan`, `inf` and `-inf`, since JSON has none.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from edgekd.bundle import CaptureRule
from edgekd.errors import (
    ArtefactError,
    DeviceUnreachableError,
    EdgekdError,
    ImageError,
    MissingDependencyError,
)

__all__ = [
    "VECTORS_VERSION",
    "BundleCase",
    "CaptureCase",
    "DecisionCase",
    "Number",
    "PhotoCase",
    "PlaneFile",
    "PlanesCase",
    "PredictionCase",
    "ReasonText",
    "Refusal",
    "Vectors",
    "number",
    "plain",
    "refusal_of",
]

VECTORS_VERSION = "1.1"
"""Major.minor of the vectors; a reader refuses another major version, and ignores new fields."""

Number = float | Literal["nan", "inf", "-inf"]

ErrorKind = Literal["input", "image", "artefact", "missing", "device"]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """Common base: immutable, by keyword, unknown fields of newer minor versions ignored."""


class Refusal(_Section, frozen=True, kw_only=True):
    """The error that a case ends with.

    Attributes:
        error: Kind of the error: `image`, `artefact`, `input`, `missing`, `device`.
        exit_code: Exit code of a command that ends with it.
        message: What is wrong. Of a photo `the image` and the rest of the sentence.
        hint: What to do about it.
        exact: Whether message and hint are the same in every runtime. Otherwise the message only
            begins with `message`: what follows is the wording of a parser.
    """

    error: ErrorKind
    exit_code: int
    message: str
    hint: str
    exact: bool = True


class ReasonText(_Section, frozen=True, kw_only=True):
    """One reason not to answer: its code and its text."""

    code: str
    text: str


class PhotoCase(_Section, frozen=True, kw_only=True):
    """An encoded photo, and the square that the network gets.

    Attributes:
        id: Its name, unique among the cases of its kind.
        photo: File with the encoded photo.
        size: S in pixels.
        sha256: Hex SHA-256 of the square, uint8 [S, S, 3] RGB, row by row; null for a refusal.
        square: File with those bytes; null for a refusal.
        max_difference: Largest difference of a channel that is allowed, in levels of 255.
        needs: Format that a runtime may leave out; it then refuses with an error of the kind
            `image`. Empty for those that every runtime reads.
        refused: The error, or null.
    """

    id: str
    photo: str
    size: int
    sha256: str | None = None
    square: str | None = None
    max_difference: int = 0
    needs: str = ""
    refused: Refusal | None = None


class PlaneFile(_Section, frozen=True, kw_only=True):
    """A plane of a frame: the file of its bytes, and the distances of its rows and pixels."""

    file: str
    row_stride: int
    pixel_stride: int


class PlanesCase(_Section, frozen=True, kw_only=True):
    """A camera's frame (YUV 4:2:0, full range), and the square that the network gets.

    Attributes:
        id: Its name.
        y: The luma.
        u: Cb, at half of the sides.
        v: Cr, at half of the sides.
        width: W in pixels, as stored.
        height: H in pixels, as stored.
        turn: Degrees clockwise by which it is turned to be upright.
        size: S in pixels.
        sha256: Hex SHA-256 of the square, uint8 [S, S, 3] RGB, row by row; null for a refusal.
        square: File with those bytes; null for a refusal.
        refused: The error, or null.
    """

    id: str
    y: PlaneFile
    u: PlaneFile
    v: PlaneFile
    width: int
    height: int
    turn: int
    size: int
    sha256: str | None = None
    square: str | None = None
    refused: Refusal | None = None


class CaptureCase(_Section, frozen=True, kw_only=True):
    """The measures of a square, and the reasons to take the photo again.

    Attributes:
        id: Its name.
        square: File of the square, uint8 [S, S, 3] RGB.
        size: S in pixels.
        rule: The section `capture` of a manifest.
        measures: Each measure by name.
        features: The sixteen features of its appearance.
        distance: Squared distance of its appearance; null where the rule has none.
        tolerance: Largest difference of a measure, of a feature, and, relative to its value, of the
            distance.
        reasons: Why it has to be taken again; empty where it need not.
    """

    id: str
    square: str
    size: int
    rule: CaptureRule
    measures: dict[str, float]
    features: tuple[float, ...]
    distance: float | None
    tolerance: float = 1e-4
    reasons: tuple[ReasonText, ...] = ()


class DecisionCase(_Section, frozen=True, kw_only=True):
    """Logits, and the decision on them.

    Attributes:
        id: Its name.
        task: Name of the task.
        classes: Names of the outputs, in order.
        decision: The section `decision` of a manifest.
        logits: Output of the network, float32 [K].
        label: The answer as one text.
        verdict: `answer` or `refer`.
        probability: Probability of the label, or null.
        probabilities: By class or finding.
        reasons: Why it is no answer.
        conformal_set: Classes that cannot be excluded, or null.
        findings: State by finding; empty for a task without.
        tolerance: Largest difference of a probability.
    """

    id: str
    task: str
    classes: tuple[str, ...]
    decision: dict[str, Any]
    logits: tuple[Number, ...]
    label: str
    verdict: Literal["answer", "refer"]
    probability: Number | None
    probabilities: dict[str, Number]
    reasons: tuple[ReasonText, ...]
    conformal_set: tuple[str, ...] | None
    findings: dict[str, str]
    tolerance: float = 1e-12


class BundleCase(_Section, frozen=True, kw_only=True):
    """A bundle as bytes, opened or refused.

    Attributes:
        id: Its name.
        bundle: The `.edgekd` file, to be opened as bytes: its name in messages is `<bytes>`.
        runs: Whether an engine is opened too, so that the checks that need none come first; a
            runtime without that engine leaves the case out.
        public_key: File of the key that it must be signed with, or null.
        sha256: Hex SHA-256 of its manifest; null for a refusal.
        signature: State of its signature; null for a refusal.
        classes: Its classes; empty for a refusal.
        coverage: `capture.coverage` of its manifest, which had another name before format 1.6.
        warnings: Sentences that a device must show: no certificate, floors that are not met.
        refused: The error, or null.
    """

    id: str
    bundle: str
    runs: bool = False
    public_key: str | None = None
    sha256: str | None = None
    signature: str | None = None
    classes: tuple[str, ...] = ()
    coverage: float | None = None
    warnings: tuple[str, ...] = ()
    refused: Refusal | None = None


class PredictionCase(_Section, frozen=True, kw_only=True):
    """A bundle and a photo, from the file to the decision.

    Attributes:
        id: Its name.
        bundle: The `.edgekd` file.
        backend: Name of its backend; a runtime without that engine leaves the case out.
        photo: File with the encoded photo.
        logits: Output of the network.
        logits_tolerance: Largest difference of an output; 0 for a file of integers.
        label: The answer as one text.
        probabilities: By class.
        decision: `answer`, `refer` or `retake`.
        reasons: Codes of its reasons.
        conformal_set: Classes that cannot be excluded, or null.
    """

    id: str
    bundle: str
    backend: str
    photo: str
    logits: tuple[float, ...]
    logits_tolerance: float
    label: str
    probabilities: dict[str, float]
    decision: Literal["answer", "refer", "retake"]
    reasons: tuple[str, ...]
    conformal_set: tuple[str, ...] | None


class Vectors(_Section, frozen=True, kw_only=True):
    """All cases.

    Attributes:
        vectors_version: See `VECTORS_VERSION`.
        edgekd: Version of edgekd that wrote them.
        rule: Name of the preprocessing rule.
        manifest_version: Newest format of a manifest among them.
        engines: Engines that the logits come from, by backend.
        photos: Photos and their squares.
        planes: Frames of a camera and their squares; none before version 1.1.
        captures: Squares and their measures.
        decisions: Logits and decisions.
        bundles: Bundles that are opened or refused.
        predictions: From a photo to a decision.
    """

    vectors_version: str = VECTORS_VERSION
    edgekd: str
    rule: str
    manifest_version: str
    engines: dict[str, str]
    photos: tuple[PhotoCase, ...] = ()
    planes: tuple[PlanesCase, ...] = ()
    captures: tuple[CaptureCase, ...] = ()
    decisions: tuple[DecisionCase, ...] = ()
    bundles: tuple[BundleCase, ...] = ()
    predictions: tuple[PredictionCase, ...] = ()


def number(value: float) -> Number:
    """A number as it stands in the vectors."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def plain(value: Number) -> float:
    """The number that stands in the vectors."""
    return float(value)


_KINDS: tuple[tuple[type[EdgekdError], ErrorKind], ...] = (
    (ImageError, "image"),
    (ArtefactError, "artefact"),
    (MissingDependencyError, "missing"),
    (DeviceUnreachableError, "device"),
)


def refusal_of(error: EdgekdError, *, start: str = "") -> Refusal:
    """An error as it stands in the vectors.

    Args:
        error: The error.
        start: Beginning of its message that every runtime has; empty where they have all of it.
    """
    kind: ErrorKind = next((name for each, name in _KINDS if isinstance(error, each)), "input")
    if start and not error.message.startswith(start):
        raise ValueError(f"{error.message!r} does not begin with {start!r}")
    message = start or error.message
    return Refusal(
        error=kind,
        exit_code=error.exit_code,
        message=message,
        hint=error.hint,
        exact=not start,
    )
