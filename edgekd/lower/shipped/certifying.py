"""Whether a file is one that was judged where its student was made, and what its bundle says.

A file with the SHA-256 of a judged one leaves with the evidence that was recorded of it. Any other
file has a manifest that says that nothing was measured on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

import edgekd
from edgekd.bundle import Certificate, Manifest, Rung
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.bundle.task import manifest_task
from edgekd.errors import GateFailedError, InputError
from edgekd.files import sha256_of
from edgekd.lower.attempt import Measured
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import reads_calibration
from edgekd.lower.evidence.describe import (
    completion_command,
    description_of,
    unmeasured_manifest,
)
from edgekd.lower.evidence.policy_check import blank_record
from edgekd.lower.int8.calibration import CalibrationSet
from edgekd.lower.selftest import tolerance_of
from edgekd.lower.shipped.float_student import FloatStudent
from edgekd.lower.shipped.rebuild_jobs import RebuildJob
from edgekd.lower.shipped.student import ShippedStudent
from edgekd.runtime.selftest import Vectors

__all__ = ["REMEDY", "certified", "uncertified", "why_not_certified"]

REMEDY = "edgekd certify BUNDLE --csv LABELS.csv --out CERTIFIED"
"""The command that judges a file that is not certified, wherever there are labelled images."""


def why_not_certified(
    student: ShippedStudent,
    job: RebuildJob,
    measured: Measured,
    calibration: CalibrationSet | None = None,
) -> str | None:
    """Why a file is none of those that were judged; None where it is one.

    Args:
        student: The shipped student.
        job: The bundle to build.
        measured: Its file, with the outputs for the painted images.
        calibration: Images that ranges were measured on, where they are not recorded ones.
    """
    if not student.certificates:
        reason = f"{student.name} has no labelled images, and nothing was measured on its file"
        if calibration is None or not job.variant.calibrated:
            return reason
        return f"{reason}, whose ranges are those of images that a generator made"
    if job.certificate is None:
        return f"{student.name} carries no certificate of {job.variant.label} for this target"
    certificate = student.certificates[job.certificate]
    files = {file.name: sha256_of(file) for file in measured.made.folder.iterdir()}
    expected = {name: entry.sha256 for name, entry in certificate.files.items()}
    if files == expected:
        return None
    other = next(
        (name for name in sorted(expected) if files.get(name) != expected[name]),
        min(set(files) - set(expected), default=""),
    )
    return (
        f"{other} is not the file that was judged where {student.name} was made "
        f"({_differences(certificate.lowering.tools, measured.made.tools)})"
    )


def _differences(certified: Mapping[str, str], installed: Mapping[str, str]) -> str:
    """What is known of why the file is another one, for people."""
    names = sorted(certified.keys() | installed.keys())
    texts = [
        f"{name} {installed.get(name, 'missing')} here, {certified.get(name, 'missing')} there"
        for name in names
        if installed.get(name) != certified.get(name)
    ]
    return "; ".join(texts) or "the tools have the same versions: edgekd or the processor differs"


def certified(
    student: ShippedStudent, job: RebuildJob, measured: Measured
) -> tuple[Manifest, Vectors]:
    """The manifest with the recorded evidence, and the recorded self-test.

    Raises:
        GateFailedError: The engine here answers otherwise than where the file was judged.
    """
    name, plan = job.certificate or "", job.plan
    certificate, outputs = student.certificates[name], student.outputs[name]
    tolerance = tolerance_of(outputs, job.variant.precision)
    difference = float(np.abs(measured.answers.outputs - outputs).max())
    if not difference <= tolerance:  # NaN too
        message = (
            f"{plan.name} is the certified file, and the engine here answers otherwise: an output "
            f"is off by {difference:.3g}, more than {tolerance:.3g}"
        )
        raise GateFailedError(message, "report the machine and the engine; build it elsewhere")
    manifest = msgspec.structs.replace(
        certificate,
        format_version=FORMAT_VERSION,
        version=edgekd.__version__,
        lowering=msgspec.structs.replace(
            certificate.lowering,
            target=plan.target.name,
            build_key=plan.key,
            tools=measured.made.tools,
        ),
        certificate=Certificate(student=student.name, certified=True),
        description=description_of(student.card, plan.target),
    )
    return manifest, Vectors(student.images, outputs, tolerance)


def uncertified(
    student: ShippedStudent,
    job: RebuildJob,
    measured: Measured,
    reason: str,
    float_file: FloatStudent | None,
    calibration: CalibrationSet | None = None,
) -> tuple[Manifest, Vectors]:
    """The manifest of a file that nothing was measured on, marked so, and its self-test.

    Args:
        student: The student.
        job: The bundle to build.
        measured: Its file, with the outputs for the painted images.
        reason: Why it is not certified.
        float_file: The float student beside the file; None where the file is the float student.
        calibration: See `why_not_certified`.
    """
    plan, outputs = job.plan, measured.answers.outputs
    if not np.isfinite(outputs).all():
        message = f"{plan.name} gives outputs that are not finite"
        raise GateFailedError(message, "take a safer --precision")
    certificate = _nearest(student, job)
    of_training = {"part", "teacher", "student"}
    manifest = msgspec.structs.replace(
        certificate,
        format_version=FORMAT_VERSION,
        version=edgekd.__version__,
        lowering=msgspec.structs.replace(
            certificate.lowering,
            target=plan.target.name,
            precision=job.variant.precision,
            rungs=(_unjudged_rung(job, measured, reason),),
            tried=0,
            calibration=_calibrated_by(certificate, job, measured, calibration),
            layer_sensitivity=(),
            build_key=plan.key,
            tools=measured.made.tools,
            check=measured.check,
            evidence_sha256=None,
        ),
        policy=blank_record(plan.policy, student.card.classes, research=True),
        metrics={key: value for key, value in certificate.metrics.items() if key in of_training},
        certificate=Certificate(
            student=student.name, certified=False, reason=reason, remedy=REMEDY
        ),
        reference=float_file.record if float_file else None,
        model_file=get_backend(job.backend).model_file,
        description=description_of(student.card, plan.target),
    )
    tolerance = tolerance_of(outputs, job.variant.precision)
    return manifest, Vectors(student.images, outputs, tolerance)


def _calibrated_by(
    certificate: Manifest, job: RebuildJob, measured: Measured, calibration: CalibrationSet | None
) -> dict[str, Any] | None:
    """The record of the images that the file depends on."""
    if calibration is not None:
        reads = reads_calibration(measured.attempt.backend, job.variant)
        return calibration.record() if reads else None
    return certificate.lowering.calibration if job.variant.calibrated else None


def _nearest(student: ShippedStudent, job: RebuildJob) -> Manifest:
    """The certificate whose decision is taken for a file that has none: of its backend, if any.

    Of a student without certificates, a manifest whose decision was fitted to nothing.
    """
    fitting = student.certificates_for(job.plan.target.name, job.backend)
    manifest = next((one for _, one in fitting), next(iter(student.certificates.values()), None))
    if manifest is None:
        decision = _unfitted_decision(student.card.task)
        return unmeasured_manifest(
            student.card, job.plan.target, get_backend(job.backend), decision
        )
    lowering, backend = manifest.lowering, get_backend(job.backend)
    if lowering.backend != backend.name:
        lowering = msgspec.structs.replace(
            lowering,
            backend=backend.name,
            completion=backend.completion,
            completion_command=completion_command(backend),
        )
    return msgspec.structs.replace(manifest, lowering=lowering)


def _unfitted_decision(task: str) -> Any:
    """A decision that answers with the most probable class, whatever that is.

    Raises:
        InputError: A decision of the task needs what only labelled images give.
    """
    try:
        return manifest_task(task).Decision()
    except TypeError as error:
        message = f"a decision of the task {task} is fitted to labelled images"
        raise InputError(message, "give them by `edgekd build --data FILE.csv`") from error


def _unjudged_rung(job: RebuildJob, measured: Measured, reason: str) -> Rung:
    return Rung(
        precision=job.variant.precision,
        float_layers=job.variant.float_layers,
        chosen=True,
        size_bytes=sum(file.stat().st_size for file in measured.made.folder.iterdir()),
        gate=None,
        failure=f"not certified: {reason}",
    )
