"""Lowering what the bundles need, step by step, judging on the way.

Plain rungs first, all of them: their times are compared. What int8 harms is measured only where
int8 fails, then mixed files are made, and a rescue is tried only where it was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from edgekd.lower.backends import get_backend
from edgekd.lower.candidate import Candidate, Lowering, lower_variants
from edgekd.lower.evidence.gate import Judged, lacking_evidence
from edgekd.lower.evidence.ladder import Step, judge_candidate
from edgekd.lower.int8.harm import float_sets, layer_harm
from edgekd.lower.plan import BuildRequest, Plan
from edgekd.lower.precision import CALIBRATED, LADDER, Variant
from edgekd.lower.source import Source

__all__ = ["Climb", "climb_all", "parallel_backends"]

MIXED = "int8-mixed"


@dataclass
class Climb:
    """One bundle on its way: its plan, how it is judged, and the steps so far."""

    plan: Plan
    judged: Judged
    steps: list[Step]

    @property
    def lacking(self) -> list[str]:
        """Why no file could pass; then none is made."""
        return lacking_evidence(self.judged)

    @property
    def wants_int8(self) -> bool:
        """Whether int8 arithmetic is on its ladder and no file with it passed yet."""
        tried = [step for step in self.steps if step.candidate.variant.calibrated]
        return bool(CALIBRATED.intersection(self.plan.ladder)) and not any(
            step.passed for step in tried
        )

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
    """Lower what the plans need, judging as it goes."""
    every = [_start(lowering.source, plan) for plan in plans]
    climbs = [climb for climb in every if not climb.lacking]
    _tell_concerns(lowering, climbs)
    _lower_plain(lowering, climbs)
    mixed = [
        climb
        for climb in climbs
        if MIXED in climb.plan.ladder and (climb.wants_int8 or request.all_rungs)
    ]
    _lower_mixed(lowering, mixed)
    if request.rescue:
        _rescue(lowering, [climb for climb in climbs if climb.wants_int8])
    return every


def _start(source: Source, plan: Plan) -> Climb:
    classes = source.card.classes
    critical = plan.target.critical_of(classes)
    judged = Judged(
        source.logits, source.targets, classes, plan.target.gate, critical, source.groups
    )
    return Climb(plan, judged, [])


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

    _side_by_side(work, _backends(climbs))


def _lower_mixed(lowering: Lowering, climbs: Sequence[Climb]) -> None:
    """int8 with the most harmed layers left in float, more of them at each step."""
    if not climbs:
        return
    sets = float_sets(layer_harm(lowering))

    def work(backend: str) -> None:
        variants = [Variant(precision=MIXED, float_layers=layers) for layers in sets]
        _add(lowering, climbs, backend, lower_variants(lowering, backend, variants))

    _side_by_side(work, _backends(climbs))


def _rescue(lowering: Lowering, climbs: Sequence[Climb]) -> None:
    """int8 of weights that were trained on with simulated int8, against the same student."""
    if not climbs:
        return
    from edgekd.lower.int8.rescue import rescued_source  # imports torch

    source = rescued_source(lowering)
    other = replace(lowering, source=source)

    def work(backend: str) -> None:
        found = lower_variants(other, backend, [Variant(precision="int8")])
        _add(lowering, climbs, backend, found, rescued=True)

    _side_by_side(work, _backends(climbs))


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


def _side_by_side(work: Callable[[str], None], backends: Sequence[str]) -> None:
    if not backends:
        return
    with ThreadPoolExecutor(min(os.cpu_count() or 1, len(backends))) as pool:
        for _ in pool.map(work, backends):
            pass
