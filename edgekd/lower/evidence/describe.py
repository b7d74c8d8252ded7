"""What a bundle says of its file: the manifest, with the decision fitted on that very file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

import edgekd
from edgekd.bundle import LayerSensitivity, Lineage, Lowering, Manifest, ModelInfo, Rung
from edgekd.lower.attempt import Measured
from edgekd.lower.backends.base import Backend, reads_calibration
from edgekd.lower.evidence.capture import fit_capture, retaken
from edgekd.lower.evidence.data_record import data_record
from edgekd.lower.evidence.decision import requirements_of
from edgekd.lower.evidence.ladder import tried
from edgekd.lower.evidence.non_inferiority import TeacherOutputs
from edgekd.lower.evidence.policy_check import blank_record, checked_record
from edgekd.lower.int8.calibration import CalibrationSet
from edgekd.lower.plan import Plan
from edgekd.lower.source import Source
from edgekd.lower.task import evidence_task
from edgekd.models import ModelCard
from edgekd.targets import Target

__all__ = [
    "BuildRecord",
    "completion_command",
    "describe",
    "description_of",
    "unmeasured_manifest",
]


@dataclass(frozen=True)
class BuildRecord:
    """How a bundle's file was chosen.

    Attributes:
        measured: The file that was taken.
        rungs: Every precision that was tried.
        calibration: Images that int8 ranges were measured on, or None.
        sensitivity: Layers by their sensitivity to int8, where it was measured.
        build_key: Hash of all that the bundle is made from.
    """

    measured: Measured
    rungs: tuple[Rung, ...]
    calibration: CalibrationSet | None
    sensitivity: tuple[LayerSensitivity, ...]
    build_key: str


def describe(source: Source, plan: Plan, record: BuildRecord, teacher: TeacherOutputs) -> Manifest:
    """The manifest of one lowered file; the writer fills in its list of files.

    Args:
        source: The float student and its validation images.
        plan: Plan of the bundle.
        record: How the file was chosen.
        teacher: The teacher's outputs for the validation images.

    Raises:
        FloorNotMetError: The file does not reach a floor of the policy, and the build is not for
            research.
        GateFailedError: No decision meets the policy's requirements.
    """
    card, measured, policy, target = source.card, record.measured, plan.policy, plan.target
    outputs, requirements = measured.answers.outputs, requirements_of(source, policy)
    task = evidence_task(card.task)
    fit = task.fit_decision(requirements, outputs)
    capture = fit_capture(source.images, policy.decision.capture_kept, policy.capture)
    taken_again = retaken(source.images, capture)
    teacher_metrics, student_metrics = source.validation_metrics
    policy_record = checked_record(
        blank_record(policy, card.classes, research=plan.research),
        policy.floors, policy.teacher, requirements, fit.decision, outputs, taken_again, teacher,
    )  # fmt: skip
    return msgspec.structs.replace(
        unmeasured_manifest(card, target, measured.attempt.backend, fit.decision),
        capture=capture,
        lowering=_lowering(source, target, record),
        policy=policy_record,
        data=data_record(source.split),
        metrics={
            "part": "validation",
            "teacher": teacher_metrics,
            "student": student_metrics,
            **task.metrics_with(fit, requirements, outputs, taken_again),
        },
        limits=_limits(source),
        data_source=_data_source(source),
        licences={
            "data": source.data.licence or "unknown",
            "weights": f"start: {card.pretrained}; else {_weights_licence(source)}",
        },
    )


def unmeasured_manifest(
    card: ModelCard, target: Target, backend: Backend, decision: Any
) -> Manifest:
    """The manifest of a student's fp32 file before anything was measured or fitted.

    Args:
        card: Model card of the student.
        target: The kind of device.
        backend: Backend of the file.
        decision: The task's decision.
    """
    return Manifest(
        version=edgekd.__version__,
        task=card.task,
        model=ModelInfo(
            name=card.arch,
            classes=card.classes,
            ordered=card.ordered,
            image_size=card.image_size,
            resize=card.resize,
            params=card.params,
            macs=card.macs,
        ),
        decision=decision,
        lowering=Lowering(
            target=target.name,
            backend=backend.name,
            precision="fp32",
            completion=backend.completion,
            completion_command=completion_command(backend),
        ),
        metrics={},
        lineage=Lineage(
            method=card.training.method,
            recipe_sha256=card.training.recipe_sha256,
            data_sha256=card.data.sha256,
            seed=card.training.seed,
            git_revision=card.training.git_revision,
            teacher=card.training.teacher,
        ),
        model_file=backend.model_file,
        files={},
        network_data_format=_data_format(
            card.image_size, evidence_task(card.task).output_format(card.classes)
        ),
        description=description_of(card, target),
        intended_use=(
            "Decision support for trained staff who look at the patient themselves; not a "
            "diagnosis and not a medical device."
        ),
        limits="Nothing was measured on this file, and its decision was fitted to none.",
        data_source=f"{card.data.name}. {card.data.citation}".strip(),
        licences={
            "data": card.data.licence or "unknown",
            "weights": f"start: {card.pretrained}; else as the data",
        },
    )


def _limits(source: Source) -> str:
    count, trained, judging = len(source.targets), source.card.data.name, source.data.name
    chose = "scored the student's epochs and fitted the decision"
    if source.own_data is not None:
        chose = f"fitted the decision (the student was trained on {trained})"
    text = (
        f"Judged on {count} validation images of {judging}, which also {chose}; other cameras, "
        "patients and diseases are outside of what was measured."
    )
    if not source.also_trained_on:
        return text
    return (
        f"{text} {source.also_trained_on} of them bear the name of an image that the student was "
        "trained on: if they are the same, they prove nothing."
    )


def _data_source(source: Source) -> str:
    trained, judging = source.card.data, source.data
    if source.own_data is None:
        return f"{trained.name}. {trained.citation}".strip()
    return f"{judging.name}; trained on {trained.name}. {trained.citation}".strip()


def _weights_licence(source: Source) -> str:
    trained = source.card.data
    if source.own_data is None:
        return "as the data"
    return f"as {trained.name}, {trained.licence or 'licence unknown'}"


def description_of(card: ModelCard, target: Target) -> str:
    """A bundle in a few words."""
    return f"{card.arch} for {target.title}, distilled by {card.training.method}"


def _calibration(source: Source, calibration: CalibrationSet) -> dict[str, Any]:
    """The record of the draw; the user's own images are of no training part."""
    part = {} if source.own_data is None else {"part": "calibration"}
    return calibration.record() | part


def _lowering(source: Source, target: Target, record: BuildRecord) -> Lowering:
    measured, attempt = record.measured, record.measured.attempt
    calibrated = reads_calibration(attempt.backend, attempt.variant)
    return Lowering(
        target=target.name,
        backend=target.backend,
        precision=attempt.variant.precision,
        completion=attempt.backend.completion,
        completion_command=completion_command(attempt.backend),
        rungs=record.rungs,
        tried=tried(record.rungs),
        calibration=_calibration(source, record.calibration)
        if calibrated and record.calibration
        else None,
        layer_sensitivity=record.sensitivity,
        quantisation_aware=attempt.quantisation_aware,
        build_key=record.build_key,
        tools=measured.made.tools,
        check=measured.check,
    )


def completion_command(backend: Backend) -> str | None:
    """The command that finishes a bundle of a backend on its device; None for a complete one."""
    if backend.completion == "complete":
        return None
    return "edgekd build --on-device BUNDLE"


def _data_format(size: int, logits: dict[str, Any]) -> dict[str, Any]:
    """Tensors in and out, by the field names of MONAI's bundle specification."""
    image = {
        "type": "image",
        "format": "RGB",
        "num_channels": 3,
        "spatial_shape": [size, size],
        "dtype": "uint8",
        "value_range": [0, 255],
    }
    return {"inputs": {"image": image}, "outputs": {"logits": logits}}
