"""What an enrolled bundle says: the manifest that was there, with the classes that were taught."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

import edgekd
from edgekd.bundle import Bundle, Certificate, HeadRecord, Lowering, Manifest, Rung
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.bundle.task import manifest_task
from edgekd.data import Split
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.enrol.extractor import Extractor
from edgekd.lower.evidence.data_record import data_record
from edgekd.recipe import fingerprint

__all__ = ["REMEDY", "enrolled_manifest"]

REMEDY = "edgekd certify BUNDLE --csv LABELS.csv --policy POLICY --out CERTIFIED"
"""The command that judges an enrolled bundle, on images that did not teach it."""


def enrolled_manifest(
    bundle: Bundle,
    split: Split,
    pixels_sha256: str,
    extractor: Extractor,
    head: HeadRecord,
    trained_on: int,
) -> Manifest:
    """The manifest of a bundle that was taught; the writer fills in its list of files.

    What was fitted or measured of its earlier classes is gone: decision, policy, gate, metrics.

    Args:
        bundle: The bundle as it was.
        split: The images that taught it, all in the part `train`.
        pixels_sha256: Hash of them as the network gets them.
        extractor: The file that gives its features.
        head: What it was taught.
        trained_on: Number of the images that its network was trained on.
    """
    before, dataset = bundle.manifest, split.dataset
    classes, model = dataset.classes, before.model
    reason = _reason(head)
    return msgspec.structs.replace(
        before,
        format_version=FORMAT_VERSION,
        version=edgekd.__version__,
        task=DEFAULT_TASK,
        model=msgspec.structs.replace(model, classes=classes, ordered=False),
        decision=manifest_task(DEFAULT_TASK).Decision(),
        lowering=_lowering(
            before.lowering, extractor, reason,
            fingerprint("enrolled", bundle.sha256, split.sha256(), pixels_sha256, head),
        ),
        policy=None,
        data=data_record(split),
        metrics={},
        certificate=Certificate(
            student=before.certificate.student if before.certificate else model.name,
            certified=False, reason=reason, remedy=REMEDY,
            selftest=_selftest(before),
        ),
        reference=None,
        features=None,
        head=head,
        model_file=extractor.model_file,
        network_data_format=before.network_data_format | _format(extractor),
        description=f"{model.name} for {before.lowering.target}, taught by `edgekd enrol`",
        limits=_limits(classes, dataset.name, head, trained_on),
        data_source=(
            f"{dataset.name} taught the classes; the network is of "
            f"{before.data_source.rstrip('. ') or model.name}"
        ),
        licences=before.licences | {"data": dataset.licence or "unknown"},
    )  # fmt: skip


def _limits(classes: Sequence[str], name: str, head: HeadRecord, trained_on: int) -> str:
    text = (
        f"It knows {', '.join(classes)} alone, of {head.images} images of {name}, and answers with "
        "one of them whatever a photo shows; no decision was fitted, so that it never refers. "
        "Other cameras, patients and diseases are outside of what was measured."
    )
    if not trained_on:
        return text
    return (
        f"{text} {trained_on} of the images trained the network itself: what was measured on them "
        "is too good."
    )


def _format(extractor: Extractor) -> dict[str, Any]:
    """The output of the model file, by the field names of MONAI's bundle specification."""
    features = {"type": "array", "dtype": "float32", "num_channels": extractor.size}
    return {"outputs": {"features": features}}


def _selftest(before: Manifest) -> str:
    """What the images of the self-test are: those that the features were tested with."""
    known = before.certificate
    return "images of the network's training" if known is None else known.selftest


def _reason(head: HeadRecord) -> str:
    text = f"taught {len(head.bias)} classes by {head.images} images on {head.date}"
    if head.balanced_accuracy is None:
        return f"{text}; {head.not_measured}"
    ends = ""
    if head.balanced_accuracy_low is not None:
        ends = f" [{head.balanced_accuracy_low:.3f}, {head.balanced_accuracy_high:.3f}]"
    return f"{text}, balanced accuracy when left out {head.balanced_accuracy:.3f}{ends}"


def _lowering(before: Lowering, extractor: Extractor, reason: str, key: str) -> Lowering:
    """The record of the file that gives the features; the gate saw another one, or none."""
    rung = Rung(
        precision=extractor.precision,
        chosen=True,
        size_bytes=sum(map(len, extractor.files.values())),
        gate=None,
        failure=f"not certified: {reason}",
    )
    return msgspec.structs.replace(
        before,
        backend=extractor.backend,
        precision=extractor.precision,
        rungs=(rung,),
        tried=0,
        calibration=None,
        layer_sensitivity=(),
        quantisation_aware=False,
        build_key=key,
        check=None,
        evidence_sha256=None,
        engine=None,
        program=None,
    )
