"""Lowering what the bundles need, step by step, judging on the way.

Plain rungs first, all of them: their times are compared. What int8 harms is measured only where
int8 fails, then mixed files are made, and a rescue is tried only where it was asked for. What
befalls one backend, as a converter that is not installed, ends its own bundles and no others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edgekd.errors import EdgekdError, GateFailedError, InputError
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import UnconvertibleError
from edgekd.lower.candidate import Candidate, Lowering, lower_variants
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.evidence.ladder import Step, judge_candidate
from edgekd.lower.int8.sensitivity import float_sets, layer_sensitivity
from edgekd.lower.jobs.process import job_threads
from edgekd.lower.plan import BuildRequest, Plan
from edgekd.lower.precision import CALIBRATED, LADDER, RESCUED, Variant
from edgekd.lower.source import Source
from edgekd.lower.task import evidence_task

__all__ = ["Climb", "RefusedError", "climb_all", "ended_by", "parallel_backends"]

MIXED = "int8-mixed"


@dataclass
class Climb:
    """One bundle on its way.

    Attributes:
        plan: What it is to be.
        judged: How its files are judged.
        steps: Those so far.
        error: What ended it before any file could be judged; None where nothing did.
    """

    plan: Plan
    judged: GateReference
    steps: list[Step]
    error: EdgekdError | None = None

    @property
    def wants_int8(self) -> bool:
        """Whether int8 arithmetic is on its ladder and no file with it passed yet."""
        tried = [step for step in self.steps if step.candidate.variant.calibrated]
        return bool(CALIBRATED.intersection(self.plan.ladder)) and not any(
            step.passed for step in tried
        )

    @property
    def wants_rescue(self) -> bool:
        """Whether weights that were trained on would be judged: as int8, where it can be made."""
        made = [step.candidate.variant.precision for step in self.steps if step.rung.gate]
        return RESCUED in made and self.wants_int8

    def settle(self) -> None:
        """Give up where no file could be judged, and safer ones than the missing were tried."""
        steps = self.steps
        if not steps or any(step.rung.gate is not None for step in steps):
            return
        unmade = all(step.candidate.made is None for step in steps)
        if unmade or any(not step.candidate.variant.calibrated for step in steps):
            self.error = _no_file(self.plan, steps[-1].candidate, unmade=unmade)

    def add(self, candidates: Iterable[Candidate], *, rescued: bool = False) -> list[Step]:
        """Judge the files that are on its ladder; the steps stay in the ladder's order."""
        new = [
            judge_candidate(one, self.judged, rescued=rescued)
            for one in candidates
            if one.variant.precision in self.plan.ladder
        ]
        self.steps = sorted([*self.steps, *new], key=self._place)
        return new

    def _place(self, step: Step) -> tuple[int, int, int]:
        """int8 that was rescued comes after every int8 that was not, as it was tried."""
        ladder = self.plan.ladder
        place = ladder.index(step.candidate.variant.precision)
        if step.rescued:
            place = max(ladder.index(name) for name in CALIBRATED.intersection(ladder))
        return place, int(step.rescued), len(step.candidate.variant.float_layers)


def climb_all(request: BuildRequest, lowering: Lowering, plans: Sequence[Plan]) -> list[Climb]:
    """Lower what the plans need, judging as it goes; an error is its climb's own."""
    climbs = [_start(lowering.source, plan) for plan in plans]
    _tell_concerns(lowering, _going(climbs))
    _lower_plain(lowering, _going(climbs))
    _settle(climbs)
    mixed = [
        climb
        for climb in _going(climbs)
        if MIXED in climb.plan.ladder and (climb.wants_int8 or request.all_rungs)
    ]
    _lower_mixed(lowering, mixed)
    _settle(climbs)
    if request.rescue:
        _rescue(lowering, [climb for climb in _going(climbs) if climb.wants_rescue])
    return climbs


def _going(climbs: Sequence[Climb]) -> list[Climb]:
    return [climb for climb in climbs if climb.error is None]


def _settle(climbs: Sequence[Climb]) -> None:
    for climb in _going(climbs):
        climb.settle()


def _start(source: Source, plan: Plan) -> Climb:
    policy, classes = plan.policy, source.card.classes
    task = source.card.task
    judged = GateReference(
        source.logits, source.targets, classes, policy.gate, policy.critical_of(classes),
        source.groups, task, policy.tasks.get(task, {}),
    )  # fmt: skip
    lacking = evidence_task(judged.task).lacking_evidence(judged)
    return Climb(plan, judged, [], RefusedError(plan.name, lacking) if lacking else None)


class RefusedError(GateFailedError):
    """No file of a bundle passed its gate.

    Args:
        name: Of the bundle.
        reasons: Why not.
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


def _no_file(plan: Plan, candidate: Candidate, *, unmade: bool) -> EdgekdError:
    """Why there is nothing to judge, by what the safest file came to."""
    backend, error = candidate.backend.name, candidate.error
    said = error.said if error is not None else candidate.failure or "it says no more"
    hint = error.hint if error is not None else "choose another student or another target"
    if error is not None and error.kind == UnconvertibleError.__name__:
        return UnconvertibleError(f"no bundle for {plan.name}: {said}", hint)
    what = "convert the network" if unmade else "run a file of the network"
    message = f"no bundle for {plan.name}: {backend} cannot {what}: {said}"
    return UnconvertibleError(message, hint)


def _tell_concerns(lowering: Lowering, climbs: Sequence[Climb]) -> None:
    """What is known to go badly is said before anyone waits for it."""
    bold = [climb for climb in climbs if CALIBRATED.intersection(climb.plan.ladder)]
    for backend in _backends(bold):
        if lowering.store.find(lowering.key(backend, Variant(precision="int8"))) is None:
            network = lowering.source.checkpoint.network
            for concern in get_backend(backend).concerns(network):
                lowering.watch.line(f"{backend}: {concern}")


def _lower_plain(lowering: Lowering, climbs: Sequence[Climb]) -> None:
    """Every rung that needs no ranking; backends side by side."""

    def work(backend: str) -> None:
        ladders = [climb.plan.ladder for climb in climbs if climb.plan.target.backend == backend]
        wanted = {name for ladder in ladders for name in ladder} - {MIXED}
        variants = [Variant(precision=name) for name in LADDER if name in wanted]
        _add(lowering, climbs, backend, lower_variants(lowering, backend, variants))

    _side_by_side(work, climbs)


def _lower_mixed(lowering: Lowering, climbs: Sequence[Climb]) -> None:
    """int8 with the most harmed layers left in float, more of them at each step."""
    if not climbs:
        return
    try:
        sets = float_sets(layer_sensitivity(lowering))
    except (EdgekdError, OSError) as error:
        _end(climbs, error)
        return

    def work(backend: str) -> None:
        variants = [Variant(precision=MIXED, float_layers=layers) for layers in sets]
        _add(lowering, climbs, backend, lower_variants(lowering, backend, variants))

    _side_by_side(work, climbs)


def _rescue(lowering: Lowering, climbs: Sequence[Climb]) -> None:
    """int8 of weights that were trained on with simulated int8, against the same student."""
    if not climbs:
        return
    from edgekd.lower.int8.rescue import rescued_source  # imports torch

    try:
        other = replace(lowering, source=rescued_source(lowering))
    except (EdgekdError, OSError) as error:
        _end(climbs, error)
        return

    def work(backend: str) -> None:
        found = lower_variants(other, backend, [Variant(precision=RESCUED)])
        _add(lowering, climbs, backend, found, rescued=True)

    _side_by_side(work, climbs)


def _add(
    lowering: Lowering,
    climbs: Sequence[Climb],
    backend: str,
    candidates: Sequence[Candidate],
    *,
    rescued: bool = False,
) -> None:
    for climb in climbs:
        if climb.plan.target.backend == backend:
            for step in climb.add(candidates, rescued=rescued):
                lowering.watch.judged(climb.plan.name, step.rung)


def _backends(climbs: Sequence[Climb]) -> list[str]:
    return list(dict.fromkeys(climb.plan.target.backend for climb in climbs))


def parallel_backends(plans: Sequence[Plan]) -> int:
    """How many backends are lowered for at once: each has a process, and a core at least."""
    backends = {plan.target.backend for plan in plans}
    return max(1, min(os.cpu_count() or 1, len(backends)))


def _side_by_side(work: Callable[[str], None], climbs: Sequence[Climb]) -> None:
    """Do the work for each backend; where one fails, its own climbs end and no others.

    Ctrl-C ends it at once, with every converter that is at work.
    """
    backends = _backends(climbs)
    if not backends:
        return

    def guarded(backend: str) -> None:
        try:
            work(backend)
        except (EdgekdError, OSError) as error:
            _end([climb for climb in climbs if climb.plan.target.backend == backend], error)

    with job_threads(min(os.cpu_count() or 1, len(backends))) as pool:
        for done in [pool.submit(guarded, backend) for backend in backends]:
            done.result()


def _end(climbs: Sequence[Climb], error: EdgekdError | OSError) -> None:
    for climb in climbs:
        climb.error = ended_by(climb.plan.name, error)


def ended_by(name: str, error: EdgekdError | OSError) -> EdgekdError:
    """What ended the bundle of that name, as an error for people."""
    if isinstance(error, OSError):
        message = f"no bundle for {name}: {error.filename or 'a file'}: {error.strerror or error}"
        return InputError(message, "make room there, or choose another place")
    return error
