"""The ladder: every file's verdict, and the one that a bundle takes.

The first rung that passes is taken, in an order that no verdict changes. Going on after one that
failed is another chance, which the bound of a single file does not make up for: of N files that
each lose what a limit allows, one passes in up to N times 5 % of builds. So a bundle says how many
were tried.

Speed is part of the choice: a rung that is slower than the next safer one is said to be so, and
passed over where the cause goes along to the device: the engine cuts it in more pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from edgekd.bundle import Rung
from edgekd.lower.candidate import Candidate
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.task import evidence_task

__all__ = ["Step", "chosen", "judge_candidate", "tried", "with_remarks"]

_SLOWER = 1.1
"""Less than this ratio is the host's noise."""


@dataclass(frozen=True)
class Step:
    """A rung with its file.

    Attributes:
        candidate: The file.
        rung: What the manifest says of it.
        rescued: Whether its weights were trained on with simulated int8.
        passed_over: Passed its gate, yet is not to be taken: the next safer one is quicker.
    """

    candidate: Candidate
    rung: Rung
    rescued: bool = False
    passed_over: bool = False

    @property
    def passed(self) -> bool:
        """Whether it keeps the diagnosis."""
        return self.rung.gate is not None and self.rung.gate.passed


def judge_candidate(candidate: Candidate, judged: GateReference, *, rescued: bool = False) -> Step:
    """The verdict on one lowered file; without answers there is none to pass."""
    answers = candidate.answers
    gate = None
    if answers is not None:
        exact = candidate.variant.precision == "fp32"
        task = evidence_task(judged.task)
        gate = task.judge(judged, answers.logits, runtime=answers.facts, exact=exact)
    rung = Rung(
        precision=candidate.variant.precision,
        float_layers=candidate.variant.float_layers,
        taken=False,
        size_bytes=candidate.size_bytes,
        host_latency_ms=candidate.latency_ms,
        remarks=tuple(_first_remarks(candidate, rescued=rescued)),
        gate=gate,
        failure=candidate.failure,
    )
    return Step(candidate, rung, rescued)


def _first_remarks(candidate: Candidate, *, rescued: bool) -> Iterator[str]:
    if rescued:
        yield "finished with simulated int8"
    if candidate.check is not None and candidate.failure is None:
        yield from candidate.check.findings


def with_remarks(steps: Sequence[Step]) -> list[Step]:
    """The steps, each with what there is to say of its speed beside the next safer one."""
    remarked = []
    for place, step in enumerate(steps):
        safer = next((one for one in steps[place + 1 :] if one.passed), None)
        said = tuple(_remarks(step, safer)) if safer else ()
        rung = msgspec.structs.replace(step.rung, remarks=(*step.rung.remarks, *said))
        over = bool(safer and _in_more_pieces(step, safer) and _ratio(step, safer) > _SLOWER)
        remarked.append(replace(step, rung=rung, passed_over=over))
    return remarked


def chosen(steps: Sequence[Step]) -> int | None:
    """Place of the first step that passed and is not to be passed over; None where none did."""
    for place, step in enumerate(steps):
        if step.passed and not step.passed_over:
            return place
    return None


def tried(rungs: Sequence[Rung]) -> int:
    """Files whose verdict was read until one was taken, that one included."""
    places = [place for place, rung in enumerate(rungs) if rung.taken]
    read = rungs[: places[0] + 1] if places else rungs
    return sum(rung.gate is not None for rung in read)


def _remarks(step: Step, safer: Step) -> Iterator[str]:
    if _in_more_pieces(step, safer):
        yield f"the engine takes it in {step.candidate.partitions} pieces"
    ratio = _ratio(step, safer)
    if ratio > _SLOWER:
        yield f"{ratio:.1f} times the time of {safer.candidate.variant.label} on this host"


def _in_more_pieces(step: Step, safer: Step) -> bool:
    own, other = step.candidate.partitions, safer.candidate.partitions
    return own is not None and other is not None and own > other


def _ratio(step: Step, safer: Step) -> float:
    """Time of a step over that of the safer one; 0 where one of them is not known."""
    own, other = step.candidate.latency_ms, safer.candidate.latency_ms
    return own / other if own and other else 0.0
