"""What a bundle says of its file: the manifest, with the decision fitted on that very file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
from edgekd.targets import Target

__all__ = ["BuildRecord", "describe"]


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
    policy_record = checked_record(
        blank_record(policy, card.classes, research=plan.research),
        policy.floors, policy.teacher, requirements, fit.decision, outputs, taken_again, teacher,
    )  # fmt: skip
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
        decision=fit.decision,
        capture=capture,
        lowering=_lowering(target, record),
        policy=policy_record,
        data=data_record(source.split),
        metrics={
            "part": "validation",
            "teacher": (source.metrics.get("teacher") or {}).get("validation"),
            "student": source.metrics.get("validation"),
            **task.metrics_with(fit, requirements, outputs, taken_again),
        },
        lineage=Lineage(
            method=card.training.method,
            recipe_sha256=card.training.recipe_sha256,
            data_sha256=card.data.sha256,
            seed=card.training.seed,
            git_revision=card.training.git_revision,
            teacher=card.training.teacher,
        ),
        model_file=measured.attempt.backend.model_file,
        files={},
        network_data_format=_data_format(card.image_size, task.output_format(card.classes)),
        description=f"{card.arch} for {target.title}, distilled by {card.training.method}",
        intended_use=(
            "Decision support for trained staff who look at the patient themselves; not a "
            "diagnosis and not a medical device."
        ),
        limits=(
            f"Judged on {len(source.targets)} validation images of {card.data.name}, which also "
            "chose the student's best epoch and fitted the decision; other cameras, patients and "
            "diseases are outside of what was measured."
        ),
        data_source=f"{card.data.name}. {card.data.citation}".strip(),
        licences={
            "data": card.data.licence or "unknown",
            "weights": f"start: {card.pretrained}; else as the data",
        },
    )


def _lowering(target: Target, record: BuildRecord) -> Lowering:
    measured, attempt = record.measured, record.measured.attempt
    calibrated = reads_calibration(attempt.backend, attempt.variant)
    return Lowering(
        target=target.name,
        backend=target.backend,
        precision=attempt.variant.precision,
        completion=attempt.backend.completion,
        completion_command=_completion_command(attempt.backend),
        rungs=record.rungs,
        tried=tried(record.rungs),
        calibration=record.calibration.record() if calibrated and record.calibration else None,
        layer_sensitivity=record.sensitivity,
        quantisation_aware=attempt.quantisation_aware,
        build_key=record.build_key,
        tools=measured.made.tools,
        check=measured.check,
    )


def _completion_command(backend: Backend) -> str | None:
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
