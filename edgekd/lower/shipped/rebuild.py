"""Bundles of a shipped student, built without any image of a patient.

Weights and recorded ranges give the files again. A file with the very SHA-256 of one that was
judged where the student was made leaves with the evidence that was recorded of it; any other file
is not certified: it is refused, or marked where the build is for research.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

import edgekd
from edgekd.bundle import Certificate, Manifest, Rung
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.data import cache_folder
from edgekd.errors import ArtefactError, EdgekdError, GateFailedError, InputError
from edgekd.files import make_folder, scratch_folder, sha256_of
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.backends import get_backend
from edgekd.lower.built import BuiltBundle, bundle_files, held_alone, write_built
from edgekd.lower.context import BuildContext
from edgekd.lower.evidence.describe import completion_command, description_of
from edgekd.lower.evidence.policy_check import blank_record
from edgekd.lower.jobs.process import job_threads
from edgekd.lower.ladder_run import bundle_error
from edgekd.lower.pipeline import lower_variants
from edgekd.lower.plan import BuildRequest, Plan, ladder_of
from edgekd.lower.precision import Variant
from edgekd.lower.selftest import tolerance_of
from edgekd.lower.shipped.student import ShippedStudent, variant_of
from edgekd.lower.store import Store, code_sha256, providers_of, tool_versions
from edgekd.policy import policy_of_values
from edgekd.recipe import fingerprint
from edgekd.runtime.selftest import Vectors
from edgekd.targets import Target

__all__ = ["NotCertifiedError", "rebuild_all"]

_SAFEST = "fp32"
"""What a target without a certificate is lowered to, for research."""


class NotCertifiedError(GateFailedError):
    """A file is none of those that were judged where its student was made.

    Args:
        name: Name of the bundle.
        reason: Why it is not certified.
        remedy: The command that judges it on labelled images.
    """

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(
            f"{name} is not certified: {reason}",
            f"judge it on labelled images of yours: {remedy}; or add --research to have it marked",
        )


@dataclass(frozen=True)
class _Job:
    """One bundle to build.

    Attributes:
        plan: Its plan; the ladder has one rung.
        variant: The variant to lower to.
        certificate: Name of the certificate that its file is compared with; None without one.
    """

    plan: Plan
    variant: Variant
    certificate: str | None

    @property
    def backend(self) -> str:
        return self.plan.target.backend


def rebuild_all(request: BuildRequest, student: ShippedStudent) -> list[BuiltBundle]:
    """Build every bundle of a request from what a shipped student carries.

    Args:
        request: The request.
        student: The student that it names.

    Raises:
        InputError: The request needs labelled images; or `out` cannot be written to, or another
            process builds one of the bundles.
    """
    _refuse_what_needs_images(request, student)
    jobs, built = _jobs(request, student)
    todo = []
    for job in jobs:
        known = _known(job, request)
        if known is None:
            todo.append(job)
        else:
            built[job.plan.name] = known
    if todo:
        make_folder(request.out)
        paths = [job.plan.path for job in todo]
        with held_alone(paths), scratch_folder(cache_folder() / "build") as work:
            context = BuildContext(
                student.source(), None, Store(), work, request.out / "logs", request.observer,
                threads=max(1, (os.cpu_count() or 1) // len({job.backend for job in todo})),
                ranges=student.ranges,
            )  # fmt: skip
            for job, attempt in _lowered(context, todo):
                built[job.plan.name] = _finish(request, student, job, attempt)
    return list(built.values())


def _refuse_what_needs_images(request: BuildRequest, student: ShippedStudent) -> None:
    """Refuse options that mean to judge files, which needs labelled images."""
    needing = {
        "--policy": request.policy is not None,
        "--tighten": bool(request.tighten),
        "--critical": bool(request.critical),
        "--teacher": request.teacher is not None,
        "--all-rungs": request.all_rungs,
        "--quantisation-aware": request.quantisation_aware,
    }
    for option in (name for name, requested in needing.items() if requested):
        message = f"{option} needs labelled images, and {student.name} carries none"
        hint = "give yours with --data, the original ones with --data-root, or leave it out"
        raise InputError(message, hint)


# ---- which files ----


def _jobs(
    request: BuildRequest, student: ShippedStudent
) -> tuple[list[_Job], dict[str, BuiltBundle]]:
    """The bundles to build, and those that cannot be, by name."""
    jobs, refused = [], {}
    for target in request.targets:
        for precision in request.precisions or (None,):
            name = f"{target.name}-{precision}" if precision else target.name
            try:
                jobs.append(_job(request, student, target, precision, name))
            except EdgekdError as error:
                request.observer.line(f"{name}: not built: {error.message}")
                refused[name] = BuiltBundle(target.name, name, None, None, (), error)
    return jobs, refused


def _job(
    request: BuildRequest,
    student: ShippedStudent,
    target: Target,
    precision: str | None,
    name: str,
) -> _Job:
    """The plan of one bundle.

    Raises:
        InputError: The target has no such precision, or its ranges are not recorded.
        NotCertifiedError: No certificate is for it, and the build is not for research.
        EdgekdError: The target's backend cannot be loaded.
    """
    ladder = ladder_of(target, precision)
    certificate, variant = _certificate_for(student, target, precision)
    if certificate is None and not request.research:
        what = f"{precision} for {target.name}" if precision else target.name
        reason = f"{student.name} carries no certificate of {what}"
        raise NotCertifiedError(name, reason, _remedy(request, student, target, precision))
    if variant.calibrated and (target.backend, variant) not in student.ranges:
        message = f"{student.name} carries no ranges for {variant.label} by {target.backend}"
        raise InputError(message, "give labelled images with --data, or another --precision")
    made_from = (
        student.sha256, target, variant, certificate, request.research, ladder, code_sha256(),
        tool_versions(target.backend), providers_of(target.backend, student.card.task),
    )  # fmt: skip
    path = request.out / f"{name}{'.edgekd' if request.zipped else ''}"
    policy = policy_of_values(student.card.policy)
    key = fingerprint("without images", made_from)
    return _Job(
        Plan(target, policy, request.research, (variant.precision,), path, key),
        variant,
        certificate,
    )


def _certificate_for(
    student: ShippedStudent, target: Target, precision: str | None
) -> tuple[str | None, Variant]:
    """The certificate that the bundle can have, with its variant; for `auto` that of the ladder."""
    fitting = list(student.certificates_for(target.name, target.backend))
    if precision is None:  # a bundle of a chosen precision has it in its name
        fitting = [one for one in fitting if one[0] == one[1].lowering.target] or fitting
    for name, manifest in fitting:
        if precision in (None, manifest.lowering.precision):
            return name, variant_of(manifest)
    return None, Variant(precision=precision or _SAFEST)


def _remedy(
    request: BuildRequest, student: ShippedStudent, target: Target, precision: str | None
) -> str:
    """The command that judges a bundle on labelled images."""
    words = ["edgekd", "build", "--target", target.name, "--model", student.address]
    words += ["--precision", precision] if precision else []
    return f"{shlex.join([*words, '--out', str(request.out)])} --data FILE.csv"


def _known(job: _Job, request: BuildRequest) -> BuiltBundle | None:
    """The bundle that is there already, if it is the one that would be built."""
    plan = job.plan
    manifest = plan.current(request.observer.line)
    if manifest is None:
        return None
    rungs = manifest.lowering.rungs
    return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs, fresh=False)


# ---- the files ----


def _lowered(
    context: BuildContext, jobs: Sequence[_Job]
) -> Iterator[tuple[_Job, Measured | Failed | EdgekdError]]:
    """Each bundle's file, run on the painted images; backends lower side by side."""
    backends = list(dict.fromkeys(job.backend for job in jobs))

    def work(backend: str) -> dict[Variant, Measured | Failed] | EdgekdError:
        variants = list(dict.fromkeys(job.variant for job in jobs if job.backend == backend))
        try:
            return dict(zip(variants, lower_variants(context, backend, variants), strict=True))
        except EdgekdError as error:
            return error

    with job_threads(min(os.cpu_count() or 1, len(backends))) as pool:
        running = {backend: pool.submit(work, backend) for backend in backends}
        results = {backend: one.result() for backend, one in running.items()}
    for job in jobs:
        result = results[job.backend]
        yield job, result if isinstance(result, EdgekdError) else result[job.variant]


def _finish(
    request: BuildRequest,
    student: ShippedStudent,
    job: _Job,
    attempt: Measured | Failed | EdgekdError,
) -> BuiltBundle:
    """Write the bundle, certified or marked; or the error that prevents it."""
    plan = job.plan
    try:
        measured = _measured(job, attempt)
        precision = plan.ladder[0] if plan.name != plan.target.name else None
        remedy = _remedy(request, student, plan.target, precision)
        reason = _why_not_certified(student, job, measured)
        if reason is None:
            manifest, vectors = _certified(student, job, measured)
        elif request.research:
            manifest, vectors = _uncertified(student, job, measured, reason, remedy)
        else:
            raise NotCertifiedError(plan.name, reason, remedy)
        files = bundle_files(measured, manifest)
        manifest = write_built(plan.path, manifest, files, vectors, zipped=request.zipped)
        rungs = manifest.lowering.rungs
        return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs)
    except (EdgekdError, OSError) as error:
        cause = bundle_error(plan.name, error)
        return BuiltBundle(plan.target.name, plan.name, None, None, (), cause)


def _measured(job: _Job, attempt: Measured | Failed | EdgekdError) -> Measured:
    """The file with its outputs.

    Raises:
        EdgekdError: There is none.
    """
    if isinstance(attempt, Measured):
        return attempt
    if isinstance(attempt, EdgekdError):
        raise attempt
    if attempt.error is not None:
        raise attempt.error
    message = f"no bundle for {job.plan.name}: {attempt.failure}"
    raise ArtefactError(message, "choose another target, or give labelled images with --data")


# ---- certified or not ----


def _why_not_certified(student: ShippedStudent, job: _Job, measured: Measured) -> str | None:
    """Why a file is none of those that were judged; None where it is one."""
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


def _certified(student: ShippedStudent, job: _Job, measured: Measured) -> tuple[Manifest, Vectors]:
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


def _uncertified(
    student: ShippedStudent, job: _Job, measured: Measured, reason: str, remedy: str
) -> tuple[Manifest, Vectors]:
    """The manifest of a file that nothing was measured on, marked so, and its self-test."""
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
            calibration=certificate.lowering.calibration if job.variant.calibrated else None,
            layer_sensitivity=(),
            build_key=plan.key,
            tools=measured.made.tools,
            check=measured.check,
            evidence_sha256=None,
        ),
        policy=blank_record(plan.policy, student.card.classes, research=True),
        metrics={key: value for key, value in certificate.metrics.items() if key in of_training},
        certificate=Certificate(
            student=student.name, certified=False, reason=reason, remedy=remedy
        ),
        model_file=get_backend(job.backend).model_file,
        description=description_of(student.card, plan.target),
    )
    tolerance = tolerance_of(outputs, job.variant.precision)
    return manifest, Vectors(student.images, outputs, tolerance)


def _nearest(student: ShippedStudent, job: _Job) -> Manifest:
    """The certificate whose decision is taken for a file that has none: of its backend, if any.

    Raises:
        ArtefactError: The student carries no certificate at all.
    """
    fitting = student.certificates_for(job.plan.target.name, job.backend)
    manifest = next((one for _, one in fitting), next(iter(student.certificates.values()), None))
    if manifest is None:
        message = f"{student.name} carries no certificate, and so no decision"
        raise ArtefactError(message, "give labelled images with --data")
    lowering, backend = manifest.lowering, get_backend(job.backend)
    if lowering.backend != backend.name:
        lowering = msgspec.structs.replace(
            lowering,
            backend=backend.name,
            completion=backend.completion,
            completion_command=completion_command(backend),
        )
    return msgspec.structs.replace(manifest, lowering=lowering)


def _unjudged_rung(job: _Job, measured: Measured, reason: str) -> Rung:
    return Rung(
        precision=job.variant.precision,
        float_layers=job.variant.float_layers,
        chosen=True,
        size_bytes=sum(file.stat().st_size for file in measured.made.folder.iterdir()),
        gate=None,
        failure=f"not certified: {reason}",
    )
