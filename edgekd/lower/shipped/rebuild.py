"""Bundles of a shipped student, built without any image of a patient.

Weights and recorded ranges give the files again. A file with the very SHA-256 of one that was
judged where the student was made leaves with the evidence that was recorded of it; any other file
is not certified: it is refused, or marked where the build is for research.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import msgspec

from edgekd.data import cache_folder
from edgekd.errors import ArtefactError, EdgekdError, InputError
from edgekd.files import make_folder, scratch_folder
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.built import BuiltBundle, bundle_files, held_alone, write_built
from edgekd.lower.context import BuildContext
from edgekd.lower.feature_file import feature_file
from edgekd.lower.int8.calibration import CalibrationSet
from edgekd.lower.jobs.process import job_threads
from edgekd.lower.ladder_run import bundle_error
from edgekd.lower.pipeline import lower_variants
from edgekd.lower.plan import BuildRequest
from edgekd.lower.precision import FLOAT, Variant
from edgekd.lower.shipped.certifying import certified, uncertified, why_not_certified
from edgekd.lower.shipped.float_student import (
    FloatStudent,
    float_student,
    require_parity,
)
from edgekd.lower.shipped.rebuild_jobs import (
    NotCertifiedError,
    RebuildJob,
    rebuild_jobs,
    remedy_of,
)
from edgekd.lower.shipped.student import ShippedStudent
from edgekd.lower.shipped.synthesised import synthesised_calibration
from edgekd.lower.store import Store

__all__ = ["rebuild_all"]


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
    calibration = _calibration(request, student)
    jobs, built = rebuild_jobs(request, student, calibration)
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
                student.source(), calibration, Store(), work, request.out / "logs",
                request.observer, ranges=student.ranges,
                threads=max(1, (os.cpu_count() or 1) // len({job.backend for job in todo})),
            )  # fmt: skip
            for job, attempt in _lowered(context, todo):
                built[job.plan.name] = _finish(request, context, student, job, attempt)
    return list(built.values())


def _calibration(request: BuildRequest, student: ShippedStudent) -> CalibrationSet | None:
    """Synthesised images, where a precision that is requested may read any.

    Raises:
        InputError: They are damaged, or too few are requested.
    """
    if student.certificates or not request.precisions:  # `auto` is fp32, which reads none
        return None
    return synthesised_calibration(student.folder, student.card, request.calibration_images)


def _refuse_what_needs_images(request: BuildRequest, student: ShippedStudent) -> None:
    """Refuse options that mean to judge files, which needs labelled images."""
    needing = {
        "--policy": request.policy is not None,
        "--tighten": bool(request.tighten),
        "--critical": bool(request.critical),
        "--teacher": request.teacher is not None,
        "--all-rungs": request.all_rungs,
        "--quantisation-aware": request.quantisation_aware,
        "--via": request.via is not None,
    }
    for option in (name for name, requested in needing.items() if requested):
        message = f"{option} needs labelled images, and {student.name} carries none"
        hint = "give yours with --data, the original ones with --data-root, or leave it out"
        raise InputError(message, hint)


def _known(job: RebuildJob, request: BuildRequest) -> BuiltBundle | None:
    """The bundle that is there already, if it is the one that would be built."""
    plan = job.plan
    manifest = plan.current(request.observer.line)
    if manifest is None:
        return None
    rungs = manifest.lowering.rungs
    return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs, fresh=False)


def _lowered(
    context: BuildContext, jobs: Sequence[RebuildJob]
) -> Iterator[tuple[RebuildJob, Measured | Failed | EdgekdError]]:
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
    context: BuildContext,
    student: ShippedStudent,
    job: RebuildJob,
    attempt: Measured | Failed | EdgekdError,
) -> BuiltBundle:
    """Write the bundle, certified or marked; or the error that prevents it."""
    plan = job.plan
    try:
        measured = _measured(job, attempt)
        precision = plan.ladder[0] if plan.name != plan.target.name else None
        remedy = remedy_of(request, student, plan.target, precision)
        calibration = context.calibration
        reason, float_file = why_not_certified(student, job, measured, calibration), None
        if reason is None:
            manifest, vectors = certified(student, job, measured)
        elif request.research:
            float_file = _float_student(context, job, measured)
            manifest, vectors = uncertified(student, job, measured, reason, float_file, calibration)
        else:
            raise NotCertifiedError(plan.name, reason, remedy)
        features = feature_file(context, job.backend) if request.features else None
        if features is not None:
            manifest = msgspec.structs.replace(manifest, features=features.record)
        images = student.seen_images if request.list_images else None
        files = bundle_files(measured, manifest, seen_images=images)
        manifest = write_built(
            plan.path, manifest, files, vectors, zipped=request.zipped,
            reference=float_file.files if float_file else None,
            features=features.files if features else None,
        )  # fmt: skip
        rungs = manifest.lowering.rungs
        return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs)
    except (EdgekdError, OSError) as error:
        cause = bundle_error(plan.name, error)
        return BuiltBundle(plan.target.name, plan.name, None, None, (), cause)


def _float_student(
    context: BuildContext, job: RebuildJob, measured: Measured
) -> FloatStudent | None:
    """The float student beside the file; None where that is in fp32, and so the student itself.

    Raises:
        GateFailedError: A file that is to be the float student is not.
        EdgekdError: The float student cannot be lowered.
    """
    if job.variant.precision == FLOAT:
        require_parity(context, measured)
        return None
    return float_student(context, job.backend)


def _measured(job: RebuildJob, attempt: Measured | Failed | EdgekdError) -> Measured:
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
