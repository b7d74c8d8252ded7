"""What a bundle says of itself: `manifest.json`, typed.

Field names of the MONAI bundle specification are used where it has one (`version`, `task`,
`description`, `intended_use`, `data_source`, `network_data_format`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from edgekd.errors import ArtefactError
from edgekd.files import pretty_json

__all__ = [
    "FORMAT_VERSION",
    "Decision",
    "FileEntry",
    "GateRecord",
    "Lineage",
    "Lowering",
    "Manifest",
    "ModelInfo",
    "Rung",
    "decode_manifest",
    "encode_manifest",
]

FORMAT_VERSION = "1.0"
"""Major.minor of the manifest; a reader refuses another major version."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Common base: immutable, by keyword, unknown fields of newer minor versions ignored."""


class ModelInfo(_Section, frozen=True, kw_only=True):
    """The network as the device sees it.

    Attributes:
        name: The architecture's name, for people.
        classes: Class names in the order of the logits.
        image_size: S, the side of the square input in pixels.
        colour: Channel order of the input; always "RGB".
        resize: Name of the preprocessing rule (see `edgekd.runtime.preprocess`).
        params: Number of trained parameters.
        macs: Multiply-accumulates of one image (convolutions and linear layers).
    """

    name: str
    classes: tuple[str, ...]
    image_size: int
    colour: str = "RGB"
    resize: str = "centre-square-area-v1"
    params: int | None = None
    macs: int | None = None


class Decision(_Section, frozen=True, kw_only=True):
    """How logits become a decision. What was not fitted is null and is not used.

    Attributes:
        temperature: Divides the logits before the softmax; fitted on this very file.
        thresholds: Operating threshold per class, or null.
        refer_below: The decision is `refer` when the top probability is below it.
        refer_coverage: Share of the fitting images that stay above `refer_below`.
        energy_threshold: Inputs with a higher energy are out of distribution.
        conformal_quantile: Quantile of the conformal score.
        fitted_on: Which images it was fitted on: part, number, hash.
    """

    temperature: float = 1.0
    thresholds: dict[str, float] | None = None
    refer_below: float | None = None
    refer_coverage: float | None = None
    energy_threshold: float | None = None
    conformal_quantile: float | None = None
    fitted_on: dict[str, Any] = {}


class GateRecord(_Section, frozen=True, kw_only=True):
    """The comparison of one saved file with the float student, and its verdict.

    Attributes:
        passed: Whether every limit held.
        reasons: One sentence per limit that did not hold.
        images: Number of images compared.
        max_logit_difference: Largest absolute difference of any logit.
        flips: Share of images whose top class changed.
        balanced_accuracy: Of the saved file.
        balanced_accuracy_drop: Student minus saved file.
        limits: The limits that were applied.
        runtime: The runtime that ran the file, with its version and what it obtained.
    """

    passed: bool
    reasons: tuple[str, ...]
    images: int
    max_logit_difference: float
    flips: float
    balanced_accuracy: float
    balanced_accuracy_drop: float
    limits: dict[str, float]
    runtime: dict[str, Any]


class Rung(_Section, frozen=True, kw_only=True):
    """One precision that was tried for this bundle, taken or not."""

    precision: str
    taken: bool
    size_bytes: int
    gate: GateRecord


class Lowering(_Section, frozen=True, kw_only=True):
    """How the file came to be.

    Attributes:
        target: Name of the target (a folder of `targets/`).
        backend: Name of the backend whose file this is (`tflite`, `openvino`, `tensorrt`).
        precision: The precision taken.
        completion: `complete`, or `finish-on-device` where the device must build an engine.
        completion_command: The command that finishes it there, or null.
        rungs: Every precision tried, with its numbers.
        calibration: Part, number and hash of the calibration images, or null.
        tools: Versions of what lowered it.
    """

    target: str
    backend: str
    precision: str
    completion: str = "complete"
    completion_command: str | None = None
    rungs: tuple[Rung, ...] = ()
    calibration: dict[str, Any] | None = None
    tools: dict[str, str] = {}


class Lineage(_Section, frozen=True, kw_only=True):
    """Where the student comes from: enough to make it again."""

    method: str
    recipe_sha256: str | None = None
    data_sha256: str | None = None
    seed: int | None = None
    git_revision: str | None = None
    teacher: str | None = None


class FileEntry(_Section, frozen=True, kw_only=True):
    """One file of the bundle."""

    sha256: str
    size: int


class Manifest(_Section, frozen=True, kw_only=True):
    """The whole manifest.

    Attributes:
        format_version: See `FORMAT_VERSION`.
        version: Version of edgekd that wrote it.
        task: `classification`.
        model: The network as the device sees it.
        decision: How logits become a decision.
        lowering: How the file came to be.
        metrics: Metrics of teacher, float student and this very file, by role.
        lineage: Where the student comes from.
        model_file: The file that the runtime opens, a key of `files`.
        files: Every other file of the bundle.
        network_data_format: Tensors in and out, by MONAI's field names.
        intended_use: For people.
        limits: For people.
        licences: Of data and weights.
    """

    format_version: str = FORMAT_VERSION
    version: str
    task: str
    model: ModelInfo
    decision: Decision
    lowering: Lowering
    metrics: dict[str, Any]
    lineage: Lineage
    model_file: str
    files: dict[str, FileEntry]
    network_data_format: dict[str, Any] = {}
    description: str = ""
    intended_use: str = ""
    limits: str = ""
    data_source: str = ""
    licences: dict[str, str] = {}


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as indented JSON, keys in the order of the declaration."""
    return pretty_json(manifest)


def decode_manifest(raw: bytes) -> Manifest:
    """The manifest of its JSON.

    Raises:
        ArtefactError: It is not JSON, lacks a field, contradicts itself, or is of another
            major version.
    """
    _check_version(raw)
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.ValidationError, RecursionError) as error:
        message = f"the bundle's manifest is not valid: {error}"
        raise ArtefactError(message, "build the bundle again") from error
    _check_consistency(manifest)
    return manifest


def _check_version(raw: bytes) -> None:
    """Refuse another major version before its fields can confuse the decoder."""
    try:
        version = msgspec.json.decode(raw)["format_version"]
        major = int(str(version).split(".", maxsplit=1)[0])
    except (msgspec.DecodeError, LookupError, RecursionError, TypeError, ValueError) as error:
        message = "the bundle's manifest is not readable JSON with a format_version"
        raise ArtefactError(message, "copy the bundle again, or build it again") from error
    if major != int(FORMAT_VERSION.split(".", maxsplit=1)[0]):
        message = f"the bundle has format version {version}; this edgekd reads {FORMAT_VERSION}"
        raise ArtefactError(message, "install the edgekd that built it, or build it again")


def _check_consistency(manifest: Manifest) -> None:
    problems = []
    classes = manifest.model.classes
    if len(classes) < 2 or len(set(classes)) != len(classes):
        problems.append("classes must be two or more different names")
    if not 8 <= manifest.model.image_size <= 4096:
        problems.append("image_size must lie between 8 and 4096")
    if not 0.0 < manifest.decision.temperature < 1e4:
        problems.append("temperature must be positive")
    if manifest.model_file not in manifest.files:
        problems.append(f"model_file {manifest.model_file!r} is not among its files")
    if problems:
        message = f"the bundle's manifest contradicts itself: {'; '.join(problems)}"
        raise ArtefactError(message, "build the bundle again")
