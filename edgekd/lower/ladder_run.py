"""Tries the precision ladders of all bundles of a build, and judges every file.

All rungs that need no layer sensitivity are lowered first, since their times are compared. Layer
sensitivity is measured, and mixed-precision files are made, only where int8 fails;
quantisation-aware fine-tuning is done only on request. An error of one backend, such as a converter
that is not installed, ends only the bundles of that backend.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from edgekd.errors import EdgekdError, GateFailedError, InputError
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import UnconvertibleError
from edgekd.lower.context import BuildContext
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.evidence.ladder import GatedFile, judge_attempt, rungs_of
from edgekd.lower.int8.sensitivity import float_sets, layer_sensitivity
from edgekd.lower.jobs.process import job_threads
from edgekd.lower.page_answers import answered_for
from edgekd.lower.pipeline import lower_variants
from edgekd.lower.plan import BuildRequest, Plan
from edgekd.lower.precision import CALIBRATED, FINE_TUNED, LADDER, MIXED, Variant
from edgekd.lower.source import Source
from edgekd.lower.task import evidence_task
from edgekd.policy import Policy

__all__ = ["LadderRun", "RefusedError", "bundle_error", "parallel_backends", "run_ladders"]


@dataclass
class LadderRun:
    """The ladder of one bundle, as far as it was tried.

    Attributes:
        plan: The bundle.
        reference: The student's outputs that its files are compared with.
        ladder: The attempts so far, in the ladder's order.
        error: The error that ended it before any file was compared with the student, or None.
    """

    plan: Plan
    reference: GateReference
    ladder: list[GatedFile | Failed] = field(default_factory=list)
    error: EdgekdError | None = None

    @property
    def needs_int8(self) -> bool:
        """Whether int8 arithmetic is on its ladder and no file with it passes so far."""
        return bool(CALIBRATED.intersection(self.plan.ladder)) and not any(
            isinstance(one, GatedFile) and one.passed and one.attempt.variant.calibrated
            for one in self.ladder
        )

    @property
    def needs_fine_tuning(self) -> bool:
        """Whether fine-tuned weights could help: int8 can be lowered, and no such file passes."""
        gated = [one for one in self.ladder if isinstance(one, GatedFile)]
        made = [one.attempt.variant.precision for one in gated]
        return FINE_TUNED in made and self.needs_int8

    def settle(self) -> None:
        """Set `error` where every attempt failed and no later rung could succeed.

        That is where no file was made at all, or where one without int8 activations failed too.
        """
        failed = [one for one in self.ladder if isinstance(one, Failed)]
        if not failed or len(failed) < len(self.ladder):
            return
        without_files = all(one.made is None for one in failed)
        if without_files or any(not one.attempt.variant.calibrated for one in failed):
            self.error = _no_file(self.plan, failed[-1], without_files=without_files)

    def refuse(self, gated: GatedFile, reason: str) -> None:
        """Refuse a file that passed every limit, for a reason that came up later."""
        self.ladder = [
            one.refused(reason)
            if isinstance(one, GatedFile) and one.measured is gated.measured
            else one
            for one in self.ladder
        ]

    def add(self, attempts: Iterable[Measured | Failed]) -> list[GatedFile | Failed]:
        """Judge the files whose precision is on the ladder, and add them; returns the new rungs."""
        new = [
            judge_attempt(one, self.reference)
            for one in attempts
            if one.attempt.variant.precision in self.plan.ladder
        ]
        self.ladder = sorted([*self.ladder, *new], key=self._place)
        return new

    def _place(self, rung: GatedFile | Failed) -> tuple[int, bool, int]:
        """Sort key of a rung: fine-tuned int8 comes after all other int8, as it was tried."""
        order, attempt = self.plan.ladder, rung.attempt
        place = order.index(attempt.variant.precision)
        if attempt.quantisation_aware:
            place = max(order.index(name) for name in CALIBRATED.intersection(order))
        return place, attempt.quantisation_aware, len(attempt.variant.float_layers)


def run_ladders(
    request: BuildRequest, context: BuildContext, plans: Sequence[Plan]
) -> list[LadderRun]:
    """Lower and judge what the plans need; each run holds its own error."""
    runs = [_start(context.source, plan) for plan in plans]
    _report_concerns(context, _going(runs))
    _lower_plain(context, _going(runs))
    _settle(runs)
    mixed = [
        run
        for run in _going(runs)
        if MIXED in run.plan.ladder and (run.needs_int8 or request.all_rungs)
    ]
    _lower_mixed(context, mixed)
    _settle(runs)
    if request.quantisation_aware:
        _lower_fine_tuned(context, [run for run in _going(runs) if run.needs_fine_tuning])
    return runs


def _going(runs: Sequence[LadderRun]) -> list[LadderRun]:
    return [run for run in runs if run.error is None]


def _settle(runs: Sequence[LadderRun]) -> None:
    for run in _going(runs):
        run.settle()


def gate_reference(source: Source, policy: Policy) -> GateReference:
    """What the files of a student are compared with, by a policy."""
    card = source.card
    return GateReference(
        student=source.outputs,
        targets=source.targets,
        classes=card.classes,
        limits=policy.gate,
        critical=policy.critical_of(card.classes),
        groups=source.groups,
        task=card.task,
        task_limits=policy.tasks.get(card.task, {}),
        words=policy.words,
    )


def _start(source: Source, plan: Plan) -> LadderRun:
    reference = gate_reference(source, plan.policy)
    lacking = evidence_task(reference.task).lacking_evidence(reference)
    error = RefusedError(plan.name, lacking) if lacking else None
    return LadderRun(plan, reference, error=error)


class RefusedError(GateFailedError):
    """No file of a bundle passed its gate.

    Args:
        name: Name of the bundle.
        reasons: Why no file passed.
        hint: What to do; None where no particular remedy is known.
    """

    def __init__(self, name: str, reasons: Sequence[str], hint: str | None = None) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            f"no file for {name} passed its gate; {'; '.join(reasons)}",
            hint
            or "take a safer --precision, more calibration or validation images, or another "
            "student",
        )


def _no_file(plan: Plan, failed: Failed, *, without_files: bool) -> EdgekdError:
    """The error of a bundle without any file to judge, from the failure of its safest rung."""
    backend, error = failed.attempt.backend.name, failed.error
    cause = error.cause if error is not None else failed.failure
    hint = error.hint if error is not None else "choose another student or another target"
    if error is not None and error.kind == UnconvertibleError.__name__:
        return UnconvertibleError(f"no bundle for {plan.name}: {cause}", hint)
    what = "convert the network" if without_files else "run a file of the network"
    message = f"no bundle for {plan.name}: {backend} cannot {what}: {cause}"
    return UnconvertibleError(message, hint)


def _report_concerns(context: BuildContext, runs: Sequence[LadderRun]) -> None:
    """Report known weaknesses of each backend with this network, before int8 is lowered."""
    for backend in _backends(run for run in runs if CALIBRATED.intersection(run.plan.ladder)):
        key = context.attempt(backend, Variant(precision="int8")).key
        if context.store.find(key) is None:
            for concern in get_backend(backend).concerns(context.source.checkpoint.network):
                context.observer.line(f"{backend}: {concern}")


def _lower_plain(context: BuildContext, runs: Sequence[LadderRun]) -> None:
    """Lower every rung that needs no layer sensitivity; backends run in parallel."""

    def work(backend: str) -> None:
        ladders = [run.plan.ladder for run in runs if run.plan.target.backend == backend]
        precisions = {name for ladder in ladders for name in ladder} - {MIXED}
        variants = [Variant(precision=name) for name in LADDER if name in precisions]
        _add(context, runs, backend, lower_variants(context, backend, variants))

    _side_by_side(work, runs)


def _lower_mixed(context: BuildContext, runs: Sequence[LadderRun]) -> None:
    """Lower int8 with the most sensitive layers left in float, more of them at each rung."""
    if not runs:
        return
    try:
        sets = float_sets(layer_sensitivity(context))
    except (EdgekdError, OSError) as error:
        _end(runs, error)
        return

    def work(backend: str) -> None:
        variants = [Variant(precision=MIXED, float_layers=layers) for layers in sets]
        _add(context, runs, backend, lower_variants(context, backend, variants))

    _side_by_side(work, runs)


def _lower_fine_tuned(context: BuildContext, runs: Sequence[LadderRun]) -> None:
    """Lower weights fine-tuned with simulated int8; compared with the original student."""
    if not runs:
        return
    from edgekd.lower.int8.fine_tuning import fine_tuned_source  # imports torch

    try:
        source = fine_tuned_source(context)
    except (EdgekdError, OSError) as error:
        _end(runs, error)
        return
    fine_tuned = replace(context, source=source, quantisation_aware=True)

    def work(backend: str) -> None:
        attempts = lower_variants(fine_tuned, backend, [Variant(precision=FINE_TUNED)])
        _add(context, runs, backend, attempts)

    _side_by_side(work, runs)


def _add(
    context: BuildContext,
    runs: Sequence[LadderRun],
    backend: str,
    attempts: Sequence[Measured | Failed],
) -> None:
    for run in runs:
        if run.plan.target.backend == backend:
            answered = answered_for(context, run.plan.target, run.plan.ladder, attempts)
            for rung in rungs_of(run.add(answered)):
                context.observer.rung(run.plan.name, rung)


def _backends(runs: Iterable[LadderRun]) -> list[str]:
    return list(dict.fromkeys(run.plan.target.backend for run in runs))


def parallel_backends(plans: Sequence[Plan]) -> int:
    """Number of backends that lower in parallel, at most one for each CPU core."""
    backends = {plan.target.backend for plan in plans}
    return max(1, min(os.cpu_count() or 1, len(backends)))


def _side_by_side(work: Callable[[str], None], runs: Sequence[LadderRun]) -> None:
    """Do the work for each backend; where one fails, its own runs end and no others.

    Ctrl-C ends all of them at once, with every converter.
    """
    backends = _backends(runs)
    if not backends:
        return

    def guarded(backend: str) -> None:
        try:
            work(backend)
        except (EdgekdError, OSError) as error:
            _end([run for run in runs if run.plan.target.backend == backend], error)

    with job_threads(min(os.cpu_count() or 1, len(backends))) as pool:
        for done in [pool.submit(guarded, backend) for backend in backends]:
            done.result()


def _end(runs: Sequence[LadderRun], error: EdgekdError | OSError) -> None:
    for run in runs:
        run.error = bundle_error(run.plan.name, error)


def bundle_error(name: str, error: EdgekdError | OSError) -> EdgekdError:
    """The error of the bundle of that name, for people; an OSError becomes an InputError."""
    if isinstance(error, OSError):
        message = f"no bundle for {name}: {error.filename or 'a file'}: {error.strerror or error}"
        return InputError(message, "make room there, or choose another place")
    return error
