"""`edgekd build`: from a student to one bundle for each target, with the evidence inside."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, LayerSensitivity, Manifest, Rung, write_bundle, zip_bundle
from edgekd.bundle.seen_images import SEEN_IMAGES
from edgekd.data import cache_folder
from edgekd.errors import EdgekdError, GateFailedError, InputError
from edgekd.files import make_folder, scratch_folder
from edgekd.locks import hold_kind, only_writer
from edgekd.lower.attempt import Measured
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import reads_calibration
from edgekd.lower.context import BuildContext
from edgekd.lower.evidence.card import write_card
from edgekd.lower.evidence.describe import BuildRecord, describe
from edgekd.lower.evidence.device_gate import lacks_evidence, leave_evidence
from edgekd.lower.evidence.ladder import rungs_of, select, with_speed
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
from edgekd.lower.program import BundleProgram, bundle_program
from edgekd.lower.progress import BuildObserver
from edgekd.lower.selftest import selftest_vectors
from edgekd.lower.source import Source, load_source
from edgekd.lower.store import Store
from edgekd.lower.teacher import Teacher, find_teacher, teacher_outputs
from edgekd.policy import Policy
from edgekd.targets import Target

__all__ = ["BuildRequest", "BuiltBundle", "build", "build_all", "worst_of"]


@dataclass(frozen=True)
class BuiltBundle:
    """The result for one bundle: the bundle, or the error that prevented it (`path` is then None).

    Attributes:
        target: Name of its target.
        name: Name of the bundle.
        path: Path of the bundle; None where there is none.
        manifest: Manifest of the bundle; None where there is none.
        rungs: Every precision that was tried.
        error: Why there is no bundle; None for a bundle.
        fresh: Whether this build wrote it; False where the same bundle existed already.
        outputs: The file's outputs [N, …] for the validation images; None unless this build wrote
            it.
    """

    target: str
    name: str
    path: Path | None
    manifest: Manifest | None
    rungs: tuple[Rung, ...]
    error: EdgekdError | None = None
    fresh: bool = True
    outputs: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @property
    def passed(self) -> bool:
        """Whether there is a bundle."""
        return self.path is not None

    @property
    def refused(self) -> tuple[str, ...]:
        """Why there is no bundle; empty for a bundle."""
        if isinstance(self.error, RefusedError):
            return self.error.reasons
        return () if self.error is None else (self.error.message,)


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


def worst_of(built: Sequence[BuiltBundle]) -> EdgekdError | None:
    """The error that a build ends with: a failed gate before any other; None without errors."""
    errors = [bundle.error for bundle in built if bundle.error is not None]
    gates = [error for error in errors if isinstance(error, GateFailedError)]
    if len(gates) > 1:
        return GateFailedError("; ".join(error.message for error in gates), gates[0].hint)
    return next(iter(gates or errors), None)


def build_all(request: BuildRequest) -> list[BuiltBundle]:
    """Build every bundle of a request; the error that prevents a bundle is in its result.

    Raises:
        InputError: The checkpoint, its images or the policy are missing, `out` cannot be
            written to, another process builds one of the bundles, the policy's limits do not suit
            the model or would be loosened, `teacher` is not the student's, or quantisation-aware
            fine-tuning is requested that no bundle has a rung for.
        ArtefactError: The checkpoint, its policy or the teacher that was given is damaged.
    """
    for kind in ("students", "lowered"):
        hold_kind(kind)
    source = load_source(request.model, request.data_root)
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
    with _alone(todo), scratch_folder(cache_folder() / "build") as work:
        context = BuildContext(
            source, calibration, Store(), work, request.out / "logs", request.observer,
            threads=max(1, (os.cpu_count() or 1) // parallel_backends(todo)),
        )  # fmt: skip
        for run in run_ladders(request, context, todo):
            built[run.plan.path] = _finish(request, context, run, teacher)
    return [*(bundle for bundle in built.values() if bundle is not None), *broken]


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


@contextmanager
def _alone(plans: Sequence[Plan]) -> Iterator[None]:
    """Hold the locks of bundles, so that no other process builds them meanwhile."""
    with ExitStack() as held:
        for plan in plans:
            held.enter_context(only_writer(plan.path, "built"))
        yield


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
        manifest = leave_evidence(source, plan.policy, compared, manifest, plan.path)
        manifest = _write(request, source, taken.measured, program, manifest, plan.path)
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


def _write(
    request: BuildRequest,
    source: Source,
    measured: Measured,
    program: BundleProgram,
    manifest: Manifest,
    path: Path,
) -> Manifest:
    """Write the bundle, whole or not at all; returns the manifest with its list of files."""
    with tempfile.TemporaryDirectory(prefix="edgekd-") as beside:
        vectors = Path(beside) / SELFTEST
        selftest_vectors(source, measured).save(vectors)
        files = measured.files() | {SELFTEST: vectors, "card.md": write_card(manifest).encode()}
        if request.list_images:
            files[SEEN_IMAGES] = source.seen_images.encode()
        files |= program.files
        if not request.zipped:
            return write_bundle(path, manifest, files)
        folder = Path(beside) / "bundle"
        written = write_bundle(folder, manifest, files)
        zip_bundle(folder, path)
        return written


def _why(rung: Rung) -> tuple[str, ...]:
    """Why the last rung of a ladder was not taken, one sentence for each reason."""
    reasons = rung.gate.reasons if rung.gate else (rung.failure or "it could not be made",)
    return tuple(f"{rung.precision}: {reason}" for reason in reasons)
