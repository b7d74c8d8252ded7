"""`edgekd build`: from a student to one bundle for each target, with the evidence inside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from edgekd.bundle import LayerSensitivity, Rung
from edgekd.data import cache_folder
from edgekd.errors import EdgekdError, GateFailedError, InputError
from edgekd.files import make_folder, scratch_folder
from edgekd.locks import hold_kind
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import reads_calibration
from edgekd.lower.built import (
    BuiltBundle,
    bundle_files,
    held_alone,
    worst_of,
    write_built,
)
from edgekd.lower.context import BuildContext
from edgekd.lower.evidence.describe import BuildRecord, describe
from edgekd.lower.evidence.device_gate import lacks_evidence, leave_evidence
from edgekd.lower.evidence.ladder import rungs_of, select, with_speed
from edgekd.lower.feature_file import feature_file
from edgekd.lower.int8.calibration import CalibrationSet, draw_calibration
from edgekd.lower.int8.sensitivity import layer_sensitivity
from edgekd.lower.ladder_run import (
    LadderRun,
    RefusedError,
    bundle_error,
    parallel_backends,
    run_ladders,
)
from edgekd.lower.plan import BuildRequest, Plan, plans_of, policy_of, refuse_idle_fine_tuning
from edgekd.lower.precision import LADDER, Variant
from edgekd.lower.program import bundle_program
from edgekd.lower.progress import BuildObserver
from edgekd.lower.selftest import selftest_vectors
from edgekd.lower.shipped.rebuild import rebuild_all
from edgekd.lower.shipped.student import is_shipped, read_student, student_without_images
from edgekd.lower.source import Source, find_student, load_source
from edgekd.lower.store import Store
from edgekd.lower.teacher import Teacher, find_teacher, teacher_outputs
from edgekd.models.card import CARD, has_images
from edgekd.policy import Policy
from edgekd.targets import Target

__all__ = ["BuildRequest", "BuiltBundle", "build", "build_all", "worst_of"]


def build(request: BuildRequest) -> list[BuiltBundle]:
    """Build every bundle of a request; a bundle that is there already is left as it is.

    Raises:
        EdgekdError: A bundle could not be built (see `worst_of`), raised after the others are
            built; or an error of `build_all`.
    """
    built = build_all(request)
    error = worst_of(built)
    if error is not None:
        raise error
    return built


def build_all(request: BuildRequest) -> list[BuiltBundle]:
    """Build every bundle of a request; the error that prevents a bundle is in its result.

    A shipped student is built without images, see `rebuild_all`, unless the request has some; so
    is one that has never seen labelled images, for research.

    Raises:
        InputError: The checkpoint, its images or the policy are missing, `out` cannot be
            written to, another process builds one of the bundles, the policy's limits do not suit
            the model or would be loosened, `teacher` is not the student's, or quantisation-aware
            fine-tuning is requested that no bundle has a rung for.
        ArtefactError: The checkpoint, its policy or the teacher that was given is damaged.
    """
    for kind in ("students", "lowered"):
        hold_kind(kind)
    folder = find_student(request.model)
    if is_shipped(folder) and request.own_images is None and request.data_root is None:
        return rebuild_all(request, read_student(folder))
    if request.research and request.own_images is None and not _has_images(folder):
        return rebuild_all(request, student_without_images(folder))
    source = load_source(request.model, request.data_root, request.own_images)
    policy, teacher = policy_of(request, source), find_teacher(source, request.teacher)
    request, broken = _loadable(request)
    calibration = _calibration(request, source)
    plans, refused = _plans(request, source, policy, teacher, calibration)
    refuse_idle_fine_tuning(request, plans)
    broken += refused
    built = {plan.path: _current_bundle(plan, request.observer) for plan in plans}
    todo = [plan for plan in plans if built[plan.path] is None]
    if not todo:
        return [*(bundle for bundle in built.values() if bundle is not None), *broken]
    make_folder(request.out)  # fails now rather than after the lowering
    with held_alone(plan.path for plan in todo), scratch_folder(cache_folder() / "build") as work:
        context = BuildContext(
            source, calibration, Store(), work, request.out / "logs", request.observer,
            threads=max(1, (os.cpu_count() or 1) // parallel_backends(todo)),
        )  # fmt: skip
        runs = run_ladders(request, context, todo)
        if source.also_trained_on:
            request.observer.line(_also_trained_text(source))
        for run in runs:
            built[run.plan.path] = _finish(request, context, run, teacher)
    return [*(bundle for bundle in built.values() if bundle is not None), *broken]


def _has_images(folder: Path) -> bool:
    """Whether a checkpoint has images to be judged on, or is none (`load_source` says why)."""
    return not (folder / CARD).is_file() or has_images(folder)


def _also_trained_text(source: Source) -> str:
    return (
        f"warning: {source.also_trained_on} of the {len(source.targets)} images that judge the "
        "files bear the name of an image that the student was trained on; leave them out if they "
        "are the same"
    )


def _loadable(request: BuildRequest) -> tuple[BuildRequest, list[BuiltBundle]]:
    """The request without targets whose backend cannot be loaded, and the results of these."""
    targets, broken = [], []
    for target in request.targets:
        try:
            get_backend(target.backend)
        except EdgekdError as error:
            broken.append(_not_built(request, target, error))
        else:
            targets.append(target)
    return replace(request, targets=targets), broken


def _plans(
    request: BuildRequest,
    source: Source,
    policy: Policy,
    teacher: Teacher,
    calibration: CalibrationSet | None,
) -> tuple[list[Plan], list[BuiltBundle]]:
    """The plans, and the results of targets that the request does not suit."""
    plans, refused = [], []
    for target in request.targets:
        try:
            alone = replace(request, targets=[target])
            plans += plans_of(alone, source, policy, teacher, calibration)
        except InputError as error:
            refused.append(_not_built(request, target, error))
    return plans, refused


def _not_built(request: BuildRequest, target: Target, error: EdgekdError) -> BuiltBundle:
    """The result of a target without a bundle, reported before the others are built."""
    request.observer.line(f"{target.name}: not built: {error.message}")
    return BuiltBundle(target.name, target.name, None, None, (), error)


def _calibration(request: BuildRequest, source: Source) -> CalibrationSet | None:
    variants = [Variant(precision=name) for name in request.precisions or LADDER]
    backends = [get_backend(target.backend) for target in request.targets]
    if not any(reads_calibration(one, variant) for one in backends for variant in variants):
        return None
    return draw_calibration(source.split, source.pixels, images=request.calibration_images)


def _current_bundle(plan: Plan, observer: BuildObserver) -> BuiltBundle | None:
    manifest = plan.current(observer.line)
    if manifest is None:
        return None
    if lacks_evidence(manifest, plan.path):
        observer.line(f"{plan.name}: the evidence beside it is missing or damaged; built again")
        return None
    rungs = manifest.lowering.rungs
    return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs, fresh=False)


def _finish(
    request: BuildRequest, context: BuildContext, run: LadderRun, teacher: Teacher
) -> BuiltBundle:
    """Take the first rung that passes, and write its bundle with every rung's numbers."""
    plan = run.plan
    try:
        if run.error is not None:
            raise run.error
        return _first_that_decides(request, context, run, teacher)
    except (EdgekdError, OSError) as error:
        rungs, cause = rungs_of(with_speed(run.ladder)), bundle_error(plan.name, error)
        return BuiltBundle(plan.target.name, plan.name, None, None, rungs, cause)


def _first_that_decides(
    request: BuildRequest, context: BuildContext, run: LadderRun, teacher: Teacher
) -> BuiltBundle:
    """The bundle of the first rung that passes and whose decision meets the policy's demands.

    Raises:
        GateFailedError: There is no such rung.
        EdgekdError, OSError: The bundle cannot be written.
    """
    plan, source = run.plan, context.source
    reported = rungs_of(run.ladder)
    hint = None
    while True:
        ladder = with_speed(run.ladder)
        taken = select(ladder)
        before, reported, rungs = reported, rungs_of(ladder), rungs_of(ladder, taken)
        _report_changes(request.observer, plan.name, before, reported)
        if taken is None:
            raise RefusedError(plan.name, _why(rungs[-1]), hint)
        record = BuildRecord(
            taken.measured, rungs, context.calibration, _sensitivity_of(context, rungs), plan.key
        )
        compared = teacher_outputs(source, teacher)
        try:
            manifest = describe(source, plan, record, compared)
            program = bundle_program(context, plan.name, taken.measured, plan.via)
        except GateFailedError as error:
            run.refuse(taken, error.message)
            hint = error.hint
            continue
        _report_changes(request.observer, plan.name, reported, rungs)
        manifest = program.described(manifest)
        features = feature_file(context, plan.target.backend) if request.features else None
        if features is not None:
            manifest = msgspec.structs.replace(manifest, features=features.record)
        manifest = leave_evidence(source, plan.policy, compared, manifest, plan.path)
        images = source.seen_images if request.list_images else None
        files = bundle_files(taken.measured, manifest, program.files, images)
        vectors = selftest_vectors(source, taken.measured)
        manifest = write_built(
            plan.path, manifest, files, vectors, zipped=request.zipped,
            features=features.files if features else None,
        )  # fmt: skip
        outputs = taken.measured.answers.outputs
        return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs, outputs=outputs)


def _report_changes(
    observer: BuildObserver, bundle: str, before: Sequence[Rung], now: Sequence[Rung]
) -> None:
    """Report the rungs of a bundle that have a new verdict or a new note."""
    for old, rung in zip(before, now, strict=True):
        if rung != old:
            observer.rung(bundle, rung)


def _sensitivity_of(context: BuildContext, rungs: Sequence[Rung]) -> tuple[LayerSensitivity, ...]:
    """The layer sensitivity, where the ladder needed it."""
    return layer_sensitivity(context) if any(rung.float_layers for rung in rungs) else ()


def _why(rung: Rung) -> tuple[str, ...]:
    """Why the last rung of a ladder was not taken, one sentence for each reason."""
    reasons = rung.gate.reasons if rung.gate else (rung.failure or "it could not be made",)
    return tuple(f"{rung.precision}: {reason}" for reason in reasons)
