"""What a certified bundle says: the manifest that was there, with what was measured now."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import edgekd
from edgekd.bundle import (
    Bundle,
    CaptureRule,
    Certificate,
    GateRecord,
    Lowering,
    Manifest,
    PolicyRecord,
    Rung,
)
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.lower.certify.files import BundleFile
from edgekd.lower.certify.images import CertifyingImages
from edgekd.lower.evidence.data_record import data_record
from edgekd.lower.evidence.decision import Fit
from edgekd.lower.evidence.device_gate import Evidence
from edgekd.lower.evidence.ladder import tried
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.task import evidence_task
from edgekd.metrics.task import metrics_task
from edgekd.recipe import fingerprint

__all__ = ["certified_manifest", "limits_text"]


def certified_manifest(
    bundle: Bundle,
    images: CertifyingImages,
    evidence: Evidence,
    reference: BundleFile,
    answers: Answers,
    gate: GateRecord,
    fit: Fit,
    capture: CaptureRule | None,
    taken_again: NDArray[np.bool_],
    policy: PolicyRecord,
) -> Manifest:
    """The manifest of the certified bundle; the writer fills in its list of files.

    Args:
        bundle: The bundle that was judged.
        images: The labelled images.
        evidence: The float student's outputs for them, with limits and requirements.
        reference: The float student's file.
        answers: What the bundle's model file answered.
        gate: The verdict on it.
        fit: The decision that was fitted to it.
        capture: When a photo has to be taken again; None without limits.
        taken_again: Whether each image [N] would have to be.
        policy: The policy with the floors that it reaches.
    """
    before, dataset, split = bundle.manifest, images.split.dataset, images.split
    task = evidence_task(before.task)
    return msgspec.structs.replace(
        before,
        format_version=FORMAT_VERSION,
        version=edgekd.__version__,
        decision=fit.decision,
        capture=capture,
        lowering=_lowering(before.lowering, answers, gate, bundle, images),
        policy=policy,
        data=data_record(split),
        metrics={
            "part": "validation",
            "teacher": None,
            "student": _student_metrics(evidence),
            **task.metrics_with(fit, evidence.requirements, answers.outputs, taken_again),
        },
        certificate=_certificate(bundle, reference),
        reference=None,
        limits=limits_text(len(images.targets), dataset.name, before),
        data_source=f"{dataset.name}; the student is of {_before(before)}",
        licences=before.licences | {"data": dataset.licence or "unknown"},
    )


def _lowering(
    before: Lowering, answers: Answers, gate: GateRecord, bundle: Bundle, images: CertifyingImages
) -> Lowering:
    """The record of the lowering; of the rungs that were tried, the bundle's own is judged."""
    complete = before.completion == "complete"
    size = bundle.size_bytes
    unknown = Rung(precision=before.precision, chosen=True, size_bytes=size, gate=None)
    rung = msgspec.structs.replace(
        next((rung for rung in before.rungs if rung.chosen), unknown),
        gate=gate,
        failure=None,
        host_latency_ms=answers.latency_ms if complete else None,
    )
    rungs = (rung,)
    return msgspec.structs.replace(
        before,
        rungs=rungs,
        tried=tried(rungs),
        build_key=fingerprint("certified", bundle.sha256, images.split.sha256(), images.sha256),
        evidence_sha256=None,
    )


def _student_metrics(evidence: Evidence) -> Any:
    requirements = evidence.requirements
    metrics = metrics_task(requirements.task).evaluate(
        evidence.student, requirements.targets, requirements.classes,
        ordered=requirements.ordered, groups=requirements.groups,
    )  # fmt: skip
    return msgspec.to_builtins(metrics)


def _certificate(bundle: Bundle, reference: BundleFile) -> Certificate:
    earlier = bundle.manifest.certificate
    known = {} if earlier is None else {"selftest": earlier.selftest}
    return Certificate(
        student=bundle.manifest.model.name if earlier is None else earlier.student,
        certified=True,
        earlier=bundle.sha256,
        reference_sha256=reference.sha256,
        **known,
    )


def limits_text(count: int, name: str, before: Manifest) -> str:
    """Known limitations of a certified bundle, for people.

    Args:
        count: Number of the certifying images.
        name: Name of their data set.
        before: The manifest of the bundle that was judged.
    """
    return (
        f"Judged by `edgekd certify` on {count} images of {name}, which also fitted the decision "
        f"(the student was made elsewhere: {_before(before)}); other cameras, patients and "
        "diseases are outside of what was measured."
    )


def _before(manifest: Manifest) -> str:
    return manifest.data_source.rstrip(". ") or f"{manifest.model.name}, of unknown data"
