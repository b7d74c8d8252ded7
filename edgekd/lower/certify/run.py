"""`edgekd certify`: a bundle judged on labelled images, and written again where it passes.

No weight and no byte of the model file changes. The gate, the fit of the decision, the limits of
photos and the floors are those of `edgekd build`, on the outputs of the bundle's own files: the
float student is the file that the bundle carries for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgekd.bundle import (
    Bundle,
    GateRecord,
    Manifest,
    PolicyRecord,
    PublicKey,
)
from edgekd.bundle.features import FEATURES, features_files
from edgekd.bundle.seen_images import SEEN_IMAGES
from edgekd.data import Dataset
from edgekd.errors import EdgekdError, GateFailedError, InputError
from edgekd.files import is_occupied
from edgekd.lower.built import write_bundle_at
from edgekd.lower.certify.files import (
    BundleFile,
    check_runs_here,
    float_reference,
    model_file,
    run_file,
)
from edgekd.lower.certify.images import (
    CertifyingImages,
    read_images,
    refuse_trained_on,
    seen_with,
)
from edgekd.lower.certify.manifest import certified_manifest
from edgekd.lower.evidence.capture import fit_capture, retaken
from edgekd.lower.evidence.card import write_card
from edgekd.lower.evidence.decision import description_of_images
from edgekd.lower.evidence.device_gate import Evidence, evidence_beside, terms_of
from edgekd.lower.evidence.policy_check import blank_record
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.plan import tightened_policy
from edgekd.lower.task import evidence_task
from edgekd.policy import Policy, load_policy

__all__ = ["Certification", "CertifyRequest", "certify"]

_CARD = "card.md"
_NO_TEACHER = "the bundle was certified where its teacher is not"


def _silent(line: str) -> None:
    del line


def _uncounted(step: int, total: int) -> None:
    del step, total


@dataclass(frozen=True)
class CertifyRequest:
    """What to certify, and on which images.

    Attributes:
        bundle: The bundle's folder or `.edgekd` file.
        images: The labelled images, their classes in the order of the bundle's.
        out: Where the certified bundle is written: a folder, or a file where it ends in `.edgekd`.
        policy: A policy's name or file; None takes the one that the bundle was built under.
        tighten: Limits of the gate and floors to make stricter, by name.
        critical: Further critical classes with their limits; empty states that there are none.
        public_key: Ed25519 key that the bundle must be signed with; None asks for no signature.
        list_images: Add the images' short hashes to the bundle's list, if it has one.
        say: Takes one line for each step.
        tick: Takes the number of images that ran, and of those that have to.
    """

    bundle: Path
    images: Dataset
    out: Path
    policy: str | None = None
    tighten: Mapping[str, float] = field(default_factory=dict)
    critical: dict[str, float] | None = None
    public_key: PublicKey | None = None
    list_images: bool = True
    say: Callable[[str], None] = _silent
    tick: Callable[[int, int], None] = _uncounted


@dataclass(frozen=True)
class Certification:
    """The result: the certified bundle, or why there is none, with the evidence either way.

    Attributes:
        gate: The comparison of the model file with the float student.
        policy: The policy with the floors that the file reaches; None where its gate failed first.
        reference: Name of the float student's file in the bundle.
        manifest: Manifest of the certified bundle; None where there is none.
        error: Why there is none.
        was_signed: Whether the bundle bore a signature, which does not hold for the certified one.
    """

    gate: GateRecord
    policy: PolicyRecord | None
    reference: str
    manifest: Manifest | None
    error: EdgekdError | None
    was_signed: bool


def certify(request: CertifyRequest) -> Certification:
    """Judge a bundle on labelled images; where it passes, write it with all that was measured.

    Raises:
        InputError: The images cannot be used, the network was trained on some, there is no such
            policy, something is at `out`, or the bundle has no float student.
        MissingDependencyError: The engine is not installed.
        ArtefactError: The bundle is damaged, not signed with the key, or answers otherwise here
            than where it was built.
    """
    if is_occupied(request.out):
        message = f"there is something at {request.out} already"
        raise InputError(message, "choose another place for the certified bundle")
    with Bundle.open(request.bundle, public_key=request.public_key) as bundle:
        return _certified(request, bundle)


def _certified(request: CertifyRequest, bundle: Bundle) -> Certification:
    model, reference = model_file(bundle), float_reference(bundle)
    policy = _policy_of(request, bundle)
    images = read_images(request.images, bundle.manifest)
    unchecked = refuse_trained_on(bundle, images)
    check_runs_here(request.bundle, model.backend)
    if unchecked:
        request.say(f"warning: {unchecked}; make sure that none of yours was among them")
    evidence, answers = _evidence(request, bundle, images, policy, (model, reference))
    gate = evidence.judge(answers.outputs, answers.facts)
    signed = bundle.signature != "none"
    if not gate.passed:
        error = _refused(bundle, "does not pass its gate", gate.reasons)
        return Certification(gate, None, reference.title, None, error, signed)
    try:
        manifest = _described(bundle, images, evidence, reference, answers, gate, policy)
    except GateFailedError as why:  # no decision meets the policy's requirements
        return Certification(gate, None, reference.title, None, why, signed)
    record = manifest.policy
    unmet = tuple(record.unmet()) if record is not None else ()
    if unmet:
        error = _refused(bundle, f"does not reach a floor of the policy {policy.name}", unmet)
        return Certification(gate, record, reference.title, None, error, signed)
    manifest = _write(request, bundle, images, evidence, manifest)
    return Certification(gate, record, reference.title, manifest, None, signed)


def _refused(bundle: Bundle, verdict: str, reasons: tuple[str, ...]) -> GateFailedError:
    return GateFailedError(
        f"{bundle.label} {verdict}: {'; '.join(reasons)}",
        "it stays as it is, not certified: give more labelled images, or take another file",
    )


# ---- the policy ----


def _policy_of(request: CertifyRequest, bundle: Bundle) -> Policy:
    """The policy to certify by, with the limits that the request makes stricter.

    Raises:
        InputError: There is no such policy, it is not the one that the bundle was built under and
            the user named none, or a limit would be loosened.
    """
    classes, record = bundle.manifest.model.classes, bundle.manifest.policy
    if request.policy is not None:
        policy = load_policy(request.policy)
    elif record is None:
        message = f"{bundle.label} records no policy"
        raise InputError(message, "name the one to certify it by: --policy NAME|FILE")
    else:
        policy = _recorded_policy(record, bundle)
    return tightened_policy(policy, classes, request.tighten, request.critical)


def _recorded_policy(record: PolicyRecord, bundle: Bundle) -> Policy:
    hint = "name the one to certify it by: --policy NAME|FILE"
    try:
        policy = load_policy(record.name)
    except InputError as error:
        message = f"{bundle.label} was built under the policy {record.name!r}, which is not here"
        raise InputError(message, hint) from error
    if policy.sha256() != record.sha256:
        message = (
            f"{bundle.label} was built under a policy {record.name!r} with other limits than the "
            "one that is here"
        )
        raise InputError(message, hint)
    return policy


# ---- judging ----


def _evidence(
    request: CertifyRequest,
    bundle: Bundle,
    images: CertifyingImages,
    policy: Policy,
    files: tuple[BundleFile, BundleFile],
) -> tuple[Evidence, Answers]:
    """The float student's outputs with all limits, and the answers of the model file."""
    model, reference = files
    manifest, total = bundle.manifest, len(images.targets)
    runs = [model] if reference.is_model else [model, reference]
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        request.tick(done, total * len(runs))

    by_file = [run_file(file, images.pixels, step) for file in runs]
    terms = terms_of(
        policy,
        task=manifest.task,
        classes=manifest.model.classes,
        ordered=manifest.model.ordered,
        fitted_on=description_of_images(images.groups, images.split.sha256(), images.sha256),
        exact=manifest.lowering.precision == "fp32",
        teacher_missing=_NO_TEACHER,
    )
    evidence = Evidence(images.pixels, by_file[-1].outputs, images.targets, terms, images.groups)
    return evidence, by_file[0]


def _described(
    bundle: Bundle,
    images: CertifyingImages,
    evidence: Evidence,
    reference: BundleFile,
    answers: Answers,
    gate: GateRecord,
    policy: Policy,
) -> Manifest:
    """The manifest of the certified bundle, with its floors, whether they are met or not.

    Raises:
        GateFailedError: No decision meets the policy's requirements.
    """
    manifest, outputs = bundle.manifest, answers.outputs
    fit = evidence_task(manifest.task).fit_decision(evidence.requirements, outputs)
    capture = fit_capture(images.pixels, policy.decision.capture_kept, policy.capture)
    taken_again = retaken(images.pixels, capture)
    blank = blank_record(
        policy, manifest.model.classes, research=True
    )  # unmet floors: no error yet
    record = evidence.check_policy(blank, fit.decision, outputs, taken_again)
    record = msgspec.structs.replace(record, research=False)
    return certified_manifest(
        bundle, images, evidence, reference, answers, gate, fit, capture, taken_again, record
    )


# ---- writing ----


def _write(
    request: CertifyRequest,
    bundle: Bundle,
    images: CertifyingImages,
    evidence: Evidence,
    manifest: Manifest,
) -> Manifest:
    """Write the certified bundle, whole or not at all; returns its manifest."""
    if manifest.lowering.completion != "complete":
        sha256 = evidence.save(evidence_beside(request.out))
        lowering = msgspec.structs.replace(manifest.lowering, evidence_sha256=sha256)
        manifest = msgspec.structs.replace(manifest, lowering=lowering)
    files: dict[str, Path | bytes] = {name: bundle.read(name) for name in bundle.manifest.files}
    files[_CARD] = write_card(manifest).encode()
    seen = seen_with(bundle, images) if request.list_images else None
    if seen is not None:
        files[SEEN_IMAGES] = seen.encode()
    features = {
        name.removeprefix(f"{FEATURES}/"): content
        for name, content in features_files(bundle).items()
    }
    zipped = request.out.suffix == ".edgekd"
    return write_bundle_at(
        request.out, manifest, files, zipped=zipped, features=features or None
    )  # fmt: skip
