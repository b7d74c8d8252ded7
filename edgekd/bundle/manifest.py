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
    "ClassChange",
    "Decision",
    "FileEntry",
    "GateRecord",
    "LayerHarm",
    "Lineage",
    "Lowering",
    "Manifest",
    "ModelInfo",
    "Rung",
    "decode_manifest",
    "encode_manifest",
]

FORMAT_VERSION = "1.1"
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
        thresholds: Operating threshold per class, or null: from this probability on the class
            cannot be excluded, and the decision is `refer` where another one is the top class.
        threshold_sensitivity: Sensitivity that the thresholds were asked to reach.
        refer_below: The decision is `refer` when the top probability is below it.
        refer_coverage: Share of the fitting images that stay above `refer_below`.
        energy_threshold: Inputs with a higher energy are out of distribution.
        energy_kept: Share of the fitting images that `energy_threshold` was asked to keep.
        conformal_quantile: Classes whose conformal score (1 minus the probability) is not above
            it cannot be excluded.
        conformal_coverage: Share of images whose true class `conformal_quantile` was asked not
            to exclude, 1 - α.
        fitted_on: Which images it was fitted on: part, number, hash.
    """

    temperature: float = 1.0
    thresholds: dict[str, float] | None = None
    threshold_sensitivity: float | None = None
    refer_below: float | None = None
    refer_coverage: float | None = None
    energy_threshold: float | None = None
    energy_kept: float | None = None
    conformal_quantile: float | None = None
    conformal_coverage: float | None = None
    fitted_on: dict[str, Any] = {}


class ClassChange(_Section, frozen=True, kw_only=True):
    """What one class lost or gained in a lowered file.

    Attributes:
        images: Number of its images.
        lost: Right by the float student, wrong by the file.
        gained: The other way round.
        drop: Sensitivity of the float student minus that of the file; null without images.
        drop_high: Upper end of its paired 95 % interval; null for fewer than two images.
        critical: Whether the target names it so.
        limit: What the drop was held against: `drop_high` of a critical class, else `drop`.
    """

    images: int
    lost: int
    gained: int
    drop: float | None
    drop_high: float | None
    critical: bool
    limit: float


class GateRecord(_Section, frozen=True, kw_only=True):
    """The comparison of one saved file with the float student, and its verdict.

    Attributes:
        passed: Whether every limit held.
        reasons: One sentence per limit that did not hold.
        images: Number of images compared.
        max_logit_difference: Largest absolute difference of any logit; -1 where one is not finite.
        flips: Share of images whose top class changed.
        balanced_accuracy: Of the saved file.
        balanced_accuracy_drop: Student minus saved file.
        balanced_accuracy_drop_high: Upper end of its paired 95 % interval.
        ece: Expected calibration error of the file with its own temperature.
        ece_increase: That minus the float student's with the student's own temperature.
        per_class: What each class lost.
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
    balanced_accuracy_drop_high: float | None = None
    ece: float | None = None
    ece_increase: float | None = None
    per_class: dict[str, ClassChange] = {}
    limits: dict[str, float]
    runtime: dict[str, Any]


class Rung(_Section, frozen=True, kw_only=True):
    """One precision that was tried for this bundle, taken or not.

    Attributes:
        precision: Of `edgekd.lower.precision.LADDER`.
        float_layers: Layers that stayed in float, for `int8-mixed`.
        taken: Whether the bundle holds this file.
        size_bytes: Of its files.
        host_latency_ms: Median of an image on the host that built it, one thread; for comparison
            of the rungs with one another only, and null where the device's engine did not run it.
        remarks: What else was seen, in words: slower than the next rung, cut in pieces.
        gate: The comparison with the float student; null where there is no file.
        failure: Why there is no file, or null.
    """

    precision: str
    float_layers: tuple[str, ...] = ()
    taken: bool
    size_bytes: int
    host_latency_ms: float | None = None
    remarks: tuple[str, ...] = ()
    gate: GateRecord | None
    failure: str | None = None


class LayerHarm(_Section, frozen=True, kw_only=True):
    """How much int8 harms one layer, as measured on calibration images by simulation.

    Attributes:
        layer: Name of the module in the student's network.
        divergence: Mean KL divergence of the class probabilities, in nats.
        flips: Number of images whose top class changes.
    """

    layer: str
    divergence: float
    flips: int


class Lowering(_Section, frozen=True, kw_only=True):
    """How the file came to be.

    Attributes:
        target: Name of the target (a folder of `targets/`).
        backend: Name of the backend whose file this is (`tflite`, `openvino`, `tensorrt`, `onnx`).
        precision: The precision taken.
        completion: `complete`, or `finish-on-device` where the device must build an engine.
        completion_command: The command that finishes it there, or null.
        rungs: Every precision tried, with its numbers.
        calibration: Part, number, hash and list of the calibration images, or null.
        layer_harm: Layers by the harm that int8 does to them, most harmed first; empty where it
            was not measured.
        rescued: Whether the weights were trained on with simulated int8 before lowering.
        build_key: Hash of all that this bundle was made from.
        tools: Versions of what lowered it.
    """

    target: str
    backend: str
    precision: str
    completion: str = "complete"
    completion_command: str | None = None
    rungs: tuple[Rung, ...] = ()
    calibration: dict[str, Any] | None = None
    layer_harm: tuple[LayerHarm, ...] = ()
    rescued: bool = False
    build_key: str = ""
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
    thresholds = manifest.decision.thresholds or {}
    wrong = [name for name, at in thresholds.items() if name not in classes or not 0 <= at <= 1]
    if wrong:
        problems.append(f"thresholds {wrong} must be of classes and lie between 0 and 1")
    if manifest.model_file not in manifest.files:
        problems.append(f"model_file {manifest.model_file!r} is not among its files")
    if problems:
        message = f"the bundle's manifest contradicts itself: {'; '.join(problems)}"
        raise ArtefactError(message, "build the bundle again")
