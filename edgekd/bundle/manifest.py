"""The manifest of a bundle, `manifest.json`, typed.

Field names of the MONAI bundle specification are used where it has one (`version`, `task`,
`description`, `intended_use`, `data_source`, `network_data_format`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

import msgspec

from edgekd.bundle.data_record import DataRecord
from edgekd.bundle.head import HeadRecord, problems_of_head
from edgekd.bundle.policy import PolicyRecord, Sentence
from edgekd.bundle.task import ManifestTask, manifest_task
from edgekd.errors import ArtefactError
from edgekd.extensions.tasks import TASKS
from edgekd.files import pretty_json

__all__ = [
    "FORMAT_VERSION",
    "SYNTHESISED",
    "Appearance",
    "CaptureRule",
    "Certificate",
    "ClassChange",
    "EngineCheck",
    "EngineRecord",
    "FeaturesRecord",
    "FileEntry",
    "GateRecord",
    "LayerSensitivity",
    "Limit",
    "Lineage",
    "Lowering",
    "Manifest",
    "ModelInfo",
    "ProgramRecord",
    "ReferenceRecord",
    "Rung",
    "decode_manifest",
    "encode_manifest",
]

FORMAT_VERSION = "1.10"
"""Major.minor of the manifest; a reader refuses another major version."""

SYNTHESISED = "synthesised"
"""The `part` of calibration images that a generator made."""

_T = TypeVar("_T")
_MOST_CLASSES, _LONGEST_NAME = 10_000, 200
_RENAMED = (
    (("lowering",), "layer_harm", "layer_sensitivity"),
    (("lowering",), "rescued", "quantisation_aware"),
    (("lowering", "rungs"), "taken", "chosen"),
    (("lowering", "rungs"), "remarks", "notes"),
    (("capture",), "kept", "coverage"),
)
"""Renamed fields: path to the object that has them, name before format 1.6, name since then."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Common base: immutable, by keyword, unknown fields of newer minor versions ignored."""


class ModelInfo(_Section, frozen=True, kw_only=True):
    """The network as the device sees it.

    Attributes:
        name: The architecture's name, for people.
        classes: Class names in the order of the logits.
        ordered: Whether the classes are grades, each one worse than the one before.
        image_size: S, the side of the square input in pixels.
        colour: Channel order of the input; always "RGB".
        resize: Name of the preprocessing rule (see `edgekd.runtime.preprocess`).
        params: Number of trained parameters.
        macs: Multiply-accumulates of one image (convolutions and linear layers).
    """

    name: str
    classes: tuple[str, ...]
    ordered: bool = False
    image_size: int
    colour: str = "RGB"
    resize: str = "centre-square-area-v2"
    params: int | None = None
    macs: int | None = None


class Limit(_Section, frozen=True, kw_only=True):
    """The range in which a measure of a photo has to lie; null means no limit on that side."""

    low: float | None = None
    high: float | None = None


class Appearance(_Section, frozen=True, kw_only=True):
    """The appearance of the training images, as a normal distribution of their features.

    Attributes:
        mean: Mean of the features of `edgekd.runtime.capture.appearance` [F].
        whitening: Matrix [F, F] that gives the centred features unit covariance.
        limit: A photo at a higher squared distance counts as unlike the training images.
    """

    mean: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]
    limit: float


class CaptureRule(_Section, frozen=True, kw_only=True):
    """Limits beyond which a photo has to be taken again, fitted on images of the data set.

    Attributes:
        limits: Limits by measure of `edgekd.runtime.capture.measures`.
        appearance: Appearance of the training images; null where they were too few to fit it.
        coverage: Share of the fitting images that all limits together were fitted to let pass;
            `kept` in formats before 1.6.
        images: Number of the fitting images; the decision is fitted on the same ones.
        sentences: Sentences for the photographer by reason code; empty in bundles of a format
            before 1.6, which have the sentences of dermoscopy.
    """

    limits: dict[str, Limit] = {}
    appearance: Appearance | None = None
    coverage: float | None = None
    images: int = 0
    sentences: dict[str, Sentence] = {}


class ClassChange(_Section, frozen=True, kw_only=True):
    """What one class lost or gained in a lowered file.

    Attributes:
        images: Number of images of the class.
        lost: Number that the float student gets right and the file gets wrong.
        gained: Number that the file gets right and the float student gets wrong.
        drop: Sensitivity of the float student minus that of the file; null without images.
        drop_high: Its upper one-sided 95 % bound; null without images. Bundles of a format
            before 1.5 have the upper end of a paired 95 % bootstrap interval.
        critical: Whether the class is critical.
        limit: Limit of the drop: of `drop_high` for a critical class, else of `drop`.
        groups: Number of lesions or patients of its images, which the bounds treat as
            independent; null in bundles of a format before 1.5.
        specificity_drop: Specificity of the float student minus that of the file; null for a task
            whose classes exclude each other.
    """

    images: int
    lost: int
    gained: int
    drop: float | None
    drop_high: float | None
    critical: bool
    limit: float
    groups: int | None = None
    specificity_drop: float | None = None


class GateRecord(_Section, frozen=True, kw_only=True):
    """One lowered file compared with the float student; null where the task lacks the metric.

    Attributes:
        passed: Whether every limit held.
        reasons: One sentence per limit that did not hold.
        images: Number of images compared.
        max_logit_difference: Largest absolute difference of any output; -1 where one is not finite.
        flips: Share of images whose answer changed (the top class; the set of findings).
        balanced_accuracy: Balanced accuracy of the lowered file.
        balanced_accuracy_drop: Student minus lowered file.
        balanced_accuracy_drop_high: Its upper one-sided 95 % bound; null where a class that occurs
            has a single image, or images of a single lesion or patient.
        ece: Expected calibration error of the file with its own temperature.
        ece_increase: That error minus the float student's, with the student's own temperature.
        per_class: Changes by class or finding.
        measures: Further numbers of the task, by name.
        limits: The limits that were applied.
        runtime: The runtime that ran the file, with its version and what it obtained.
    """

    passed: bool
    reasons: tuple[str, ...]
    images: int
    max_logit_difference: float
    flips: float
    balanced_accuracy: float | None = None
    balanced_accuracy_drop: float | None = None
    balanced_accuracy_drop_high: float | None = None
    ece: float | None = None
    ece_increase: float | None = None
    per_class: dict[str, ClassChange] = {}
    measures: dict[str, float] = {}
    limits: dict[str, float]
    runtime: dict[str, Any]


class Rung(_Section, frozen=True, kw_only=True):
    """One precision that was tried for this bundle.

    Attributes:
        precision: One of `edgekd.lower.precision.LADDER`.
        float_layers: Layers that stayed in float, for `int8-mixed`.
        quantisation_aware: Whether the weights were fine-tuned with simulated int8 before
            lowering.
        chosen: Whether the bundle holds this file. `taken` in formats before 1.6.
        size_bytes: Size of its files.
        host_latency_ms: Median latency of an image on the build host with one thread, only for
            comparing rungs with one another; null where the device's engine did not run there.
        notes: Further observations, one phrase each: slower than the next rung, split into
            partitions. `remarks` in formats before 1.6.
        gate: The comparison with the float student; null where there is no file.
        failure: Why there is no file, or null.
    """

    precision: str
    float_layers: tuple[str, ...] = ()
    quantisation_aware: bool = False
    chosen: bool
    size_bytes: int
    host_latency_ms: float | None = None
    notes: tuple[str, ...] = ()
    gate: GateRecord | None
    failure: str | None = None


class LayerSensitivity(_Section, frozen=True, kw_only=True):
    """The sensitivity of one layer to int8, measured on calibration images by simulation.

    Attributes:
        layer: Name of the module in the student's network.
        divergence: Mean KL divergence of the class probabilities, in nats.
        flips: Number of images whose top class changes.
    """

    layer: str
    divergence: float
    flips: int


class EngineCheck(_Section, frozen=True, kw_only=True):
    """Whether the device's engine can be built from the file, as far as a host can tell.

    Attributes:
        status: `not checked` allows no conclusion about the file.
        by: The tool with its version, or why there was no check and how to get one.
        capabilities: Compute capabilities that the engine was built for, such as `SM86`.
        findings: What the tool reported, one sentence each; mere notes if the file passed.
    """

    status: Literal["passed", "refused", "not checked"]
    by: str
    capabilities: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.status == "not checked":
            return f"not checked: {self.by}"
        built_for = f" for {', '.join(self.capabilities)}" if self.capabilities else ""
        return f"{self.status} by {self.by}{built_for}"


class ProgramRecord(_Section, frozen=True, kw_only=True):
    """The same network in the form of another library, which can build the engine too.

    Attributes:
        via: The library, as `edgekd build --via` names it.
        file: Name of the file that it builds from.
        images: Number of validation images on which it was compared with the model file.
        max_difference: Largest absolute difference of an output.
        tolerance: Difference that was allowed.
        pairs: Number of its Q/DQ pairs; that of the model file.
    """

    via: str
    file: str
    images: int
    max_difference: float
    tolerance: float
    pairs: int = 0

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.file} for {self.via} agrees with the lowered file on {self.images} images "
            f"(largest difference {self.max_difference:.3g}, allowed {self.tolerance:.3g})"
        )


class EngineRecord(_Section, frozen=True, kw_only=True):
    """The engine that a device built, and how it answered there.

    Attributes:
        built_for: Versions and GPU that the engine is tied to; compared before it is loaded.
        seconds: Time that building it took.
        size_bytes: Size of the engine.
        latency_ms: Median latency of an image on that device, copies to and from the GPU included.
        selftest_difference: Largest difference of a logit from the host's.
        gate: The comparison with the float student, on the host's validation images.
        via: What the builder was given the network by: `onnx`, or the library of a
            `ProgramRecord`.
    """

    built_for: dict[str, str]
    seconds: float
    size_bytes: int
    latency_ms: float
    selftest_difference: float
    gate: GateRecord
    via: str = "onnx-parser"


class Lowering(_Section, frozen=True, kw_only=True):
    """How the model file was lowered.

    Attributes:
        target: Name of the target (a folder of `targets/`).
        backend: Name of the backend whose file this is (`tflite`, `openvino`, `tensorrt`, `onnx`).
        precision: The precision chosen.
        completion: `complete`, or `finish-on-device` where the device must build an engine.
        completion_command: The command that finishes it there, or null.
        rungs: Every precision tried, with its numbers.
        tried: Number of gate verdicts in the order of the ladder, up to and including that of the
            chosen file; null in bundles of a format before 1.5.
        calibration: Split part, number, hash and list of the calibration images, or null. The part
            is `SYNTHESISED` where a generator made them.
        layer_sensitivity: Layers by their sensitivity to int8, the most sensitive first; empty
            where it was not measured. `layer_harm` in formats before 1.6.
        quantisation_aware: Whether the weights were fine-tuned with simulated int8 before
            lowering. `rescued` in formats before 1.6.
        build_key: Hash of all that this bundle was made from.
        tools: Versions of the packages that lowered it.
        check: Whether the engine of the device can be built; null where the host ran the file.
        evidence_sha256: Hash of the file with the images for the gate on the device; null where
            the host ran the gate on the file itself.
        engine: The engine that the device built; null until then.
        program: The network for another library to build the engine from; null where the build did
            not request one.
    """

    target: str
    backend: str
    precision: str
    completion: str = "complete"
    completion_command: str | None = None
    rungs: tuple[Rung, ...] = ()
    tried: int | None = None
    calibration: dict[str, Any] | None = None
    layer_sensitivity: tuple[LayerSensitivity, ...] = ()
    quantisation_aware: bool = False
    build_key: str = ""
    tools: dict[str, str] = {}
    check: EngineCheck | None = None
    evidence_sha256: str | None = None
    engine: EngineRecord | None = None
    program: ProgramRecord | None = None


class Certificate(_Section, frozen=True, kw_only=True):
    """Whether a bundle that a build did not judge on labelled images was judged on some.

    A shipped student carries no images, but the manifests of the files that were judged where it
    was made. A file with the SHA-256 of one of those is that file. Any other file, and a bundle
    that `edgekd enrol` taught, is judged by `edgekd certify`, on labelled images of whoever has
    some.

    Attributes:
        student: Name of the student.
        certified: Whether decision, gate, floors and metrics of this manifest are those of this
            very file: its hash is a recorded one, or `edgekd certify` judged it. Else the decision
            was fitted to another file, or to none, and nothing was measured on this one; what a
            bundle with a `head` was measured on stands there.
        reason: Why it is not certified; null for a certified file.
        remedy: The command that judges the file on labelled images; null for a certified file.
        selftest: What the images of the self-test vectors are.
        earlier: SHA-256 of the bundle that `edgekd certify` judged; null where it judged none, as
            in bundles of a format before 1.9.
        reference_sha256: SHA-256 of the float student's main file that it compared the file with:
            that of the file itself where this is in fp32; null without `earlier`.
    """

    student: str
    certified: bool
    reason: str | None = None
    remedy: str | None = None
    selftest: str = "painted dermoscopy, which says nothing about accuracy"
    earlier: str | None = None
    reference_sha256: str | None = None

    @property
    def warning(self) -> str | None:
        """The sentence that a device must show with the bundle; None for a certified file."""
        return None if self.certified else f"for research, not certified: {self.reason}"


class Lineage(_Section, frozen=True, kw_only=True):
    """Where the student comes from: what is needed to reproduce its training."""

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


class ReferenceRecord(_Section, frozen=True, kw_only=True):
    """The float student as a file of its own, with which `edgekd certify` compares the model file.

    Its files lie in the folder `reference` of the bundle. They are not among the manifest's
    `files`: a device never reads them, and a bundle goes into an app without them.

    Attributes:
        backend: Backend whose session runs it.
        model_file: Its main file, a key of `files`.
        files: Size and hash of its files, by name below the folder.
        images: Number of images on which it was compared with the float student itself.
        max_difference: Largest absolute difference of an output there.
    """

    backend: str
    model_file: str
    files: dict[str, FileEntry] = {}
    images: int = 0
    max_difference: float = 0.0


class FeaturesRecord(_Section, frozen=True, kw_only=True):
    """The student's features as a file of its own, by which `edgekd enrol` teaches new classes.

    Its files lie in the folder `features` of the bundle, outside of the manifest's `files` as those
    of a `ReferenceRecord` do, with self-test vectors of their own.

    Attributes:
        backend: Backend whose session runs it.
        model_file: Its main file, a key of `files`: uint8 [1, S, S, 3] to float32 [1, F].
        precision: The precision that it was lowered to.
        size: F, the number of features.
        files: Size and hash of its files, by name below the folder.
        images: Number of images on which it was compared with the float student itself.
        max_difference: Largest absolute difference of a feature there.
    """

    backend: str
    model_file: str
    precision: str
    size: int
    files: dict[str, FileEntry] = {}
    images: int = 0
    max_difference: float = 0.0


class Manifest(_Section, frozen=True, kw_only=True):
    """The whole manifest.

    Attributes:
        format_version: See `FORMAT_VERSION`.
        version: Version of edgekd that wrote it.
        task: Name of the task (see `edgekd.extensions.tasks`).
        model: The network as the device sees it.
        decision: How outputs become a decision: the struct `Decision` of the task's manifest
            layer.
        capture: When a photo has to be taken again; null where that was not fitted.
        lowering: How the model file was lowered.
        policy: The policy it was built under; null in bundles of a format before 1.6.
        data: Numbers of the images that it was made with, by part; null in bundles of a format
            before 1.8.
        metrics: Metrics of teacher, float student and the model file, by role.
        lineage: Where the student comes from.
        certificate: Of a bundle that was built without labelled images, or enrolled; null where
            the file was judged by the build that wrote it.
        reference: The float student beside a file that is not certified; null where there is none,
            as in bundles of a format before 1.9.
        features: The student's features beside the file; null where there are none, as in bundles
            of a format before 1.10.
        head: What turns the model file's features into outputs, where `edgekd enrol` taught the
            bundle its classes; null where the file gives the outputs, as in bundles of a format
            before 1.10.
        model_file: The file that the runtime opens, a key of `files`.
        files: Size and hash of every other file of the bundle, by name.
        network_data_format: Tensors in and out, by MONAI's field names.
        intended_use: Text for people.
        limits: Known limitations, for people.
        licences: Licences of data and weights.
    """

    format_version: str = FORMAT_VERSION
    version: str
    task: str
    model: ModelInfo
    decision: Any
    capture: CaptureRule | None = None
    lowering: Lowering
    policy: PolicyRecord | None = None
    data: DataRecord | None = None
    metrics: dict[str, Any]
    lineage: Lineage
    certificate: Certificate | None = None
    reference: ReferenceRecord | None = None
    features: FeaturesRecord | None = None
    head: HeadRecord | None = None
    model_file: str
    files: dict[str, FileEntry]
    network_data_format: dict[str, Any] = {}
    description: str = ""
    intended_use: str = ""
    limits: str = ""
    data_source: str = ""
    licences: dict[str, str] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that a device must show: no certificate, floors that are not met."""
        uncertified = self.certificate.warning if self.certificate else None
        if uncertified and self.certificate and self.head is not None:
            uncertified = f"enrolled, not certified: {self.certificate.reason}"
        unmet = self.policy.warnings if self.policy else ()
        return (*((uncertified,) if uncertified else ()), *unmet)


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as indented JSON, keys in the order of the declaration."""
    return pretty_json(manifest)


def decode_manifest(raw: bytes) -> Manifest:
    """The manifest of its JSON.

    Raises:
        ArtefactError: It is not JSON, lacks a field, contradicts itself, or is of another
            major version or of a task that is not installed.
        MissingDependencyError: The task's manifest layer lacks a package.
    """
    manifest = _converted(_document(raw), Manifest, "manifest")
    task = _task_of(manifest)
    decision = _converted(manifest.decision, task.Decision, "manifest's section `decision`")
    _check_consistency(manifest, task.check(manifest.model, decision))
    return msgspec.structs.replace(manifest, decision=decision)


def _converted(document: Any, kind: type[_T], section: str) -> _T:
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        message = f"the bundle's {section} is not valid: {error}"
        raise ArtefactError(message, "build the bundle again") from error


_LONG_NUMBER = re.compile(rb"[0-9]{309}")
"""Digits of which a number beyond binary64 has as many at least."""


def _document(raw: bytes) -> dict[str, Any]:
    """The JSON object, checked to be of this major version, with its fields renamed to today's."""
    try:
        document: dict[str, Any] = msgspec.json.decode(raw)
        if _LONG_NUMBER.search(raw):
            _refuse_beyond_float(document)
        version = str(document["format_version"])
        major = int(version.split(".", maxsplit=1)[0])
    except (
        msgspec.DecodeError, LookupError, OverflowError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        message = "the bundle's manifest is not readable JSON with a format_version"
        raise ArtefactError(message, "copy the bundle again, or build it again") from error
    if major != int(FORMAT_VERSION.split(".", maxsplit=1)[0]):
        written = version[:20]  # it may be of any length
        message = f"the bundle has format version {written}; this edgekd reads {FORMAT_VERSION}"
        raise ArtefactError(message, "install the edgekd that built it, or build it again")
    _rename_fields(document)
    return document


def _refuse_beyond_float(value: Any) -> None:
    """Refuse whole numbers beyond binary64, of which other languages know none: OverflowError."""
    if isinstance(value, int):
        float(value)
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _refuse_beyond_float(each)


def _rename_fields(document: dict[str, Any]) -> None:
    """Give the fields of earlier formats today's names, in place."""
    for path, before, now in _RENAMED:
        for fields in _objects_at(document, path):
            if before in fields:
                fields.setdefault(now, fields.pop(before))


def _objects_at(document: dict[str, Any], path: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects at a path of field names; a list stands for all of its members."""
    objects = [document]
    for name in path:
        parts = [part.get(name) for part in objects]
        members = (part if isinstance(part, list) else [part] for part in parts)
        objects = [each for part in members for each in part if isinstance(each, dict)]
    return objects


def _task_of(manifest: Manifest) -> ManifestTask:
    if manifest.task not in TASKS:
        message = f"the bundle is for the task {manifest.task[:40]!r}, which is not installed here"
        raise ArtefactError(message, "install the edgekd that built it, or what brings the task")
    return manifest_task(manifest.task)


def _check_consistency(manifest: Manifest, contradiction: str) -> None:
    problems = (
        *_problems_of_model(manifest.model),
        *([contradiction] if contradiction else []),
        *_problems_of_files(manifest),
        *problems_of_head(manifest.head, len(manifest.model.classes)),
    )
    if problems:
        message = f"the bundle's manifest contradicts itself: {'; '.join(problems)}"
        raise ArtefactError(message, "build the bundle again")


def _problems_of_model(model: ModelInfo) -> Iterator[str]:
    names = model.classes
    if not 1 <= len(names) <= _MOST_CLASSES or len(set(names)) != len(names):
        yield "classes must be different names (1 to 10,000)"
    elif not all(name.isprintable() and 0 < len(name) <= _LONGEST_NAME for name in names):
        yield f"classes must be printable names of 1 to {_LONGEST_NAME} letters"
    if not 8 <= model.image_size <= 4096:
        yield "image_size must lie between 8 and 4096"
    if model.colour != "RGB":
        yield "colour must be RGB"


def _problems_of_files(manifest: Manifest) -> Iterator[str]:
    if manifest.model_file not in manifest.files:
        yield f"model_file {manifest.model_file[:40]!r} is not among its files"
    if manifest.capture is not None and not _is_usable(manifest.capture):
        yield "capture must have a square whitening and finite limits"


def _is_usable(rule: CaptureRule) -> bool:
    sides = [side for limit in rule.limits.values() for side in (limit.low, limit.high)]
    known = rule.appearance
    if known is not None:
        sizes = {len(known.mean), len(known.whitening), *map(len, known.whitening)}
        if len(sizes) != 1:
            return False
        sides += [known.limit, *known.mean, *(value for row in known.whitening for value in row)]
    return all(side is None or math.isfinite(side) for side in sides)
