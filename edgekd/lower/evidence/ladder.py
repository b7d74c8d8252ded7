"""The precision ladder: the verdict on every file, and the file that a bundle takes.

The first rung that passes is taken, in a fixed order. Each further rung after a failure is another
chance to pass by luck, which the bound of a single file does not account for: of N files that lose
just more than a limit allows, one passes in up to N times 5 % of builds. A bundle therefore records
how many were tried.

Speed is part of the choice: a rung that is slower than the next safer one gets a note, and is
passed over where the cause holds on the device too: the engine cuts it into more partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from edgekd.bundle import GateRecord, Rung
from edgekd.lower.attempt import Attempt, Failed, Measured
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.store import Kept
from edgekd.lower.task import evidence_task

__all__ = ["GatedFile", "judge_attempt", "rungs_of", "select", "tried", "with_speed"]

_SLOWER = 1.1
"""Ratio of times from which a file counts as slower; less may be the host's noise."""


@dataclass(frozen=True, eq=False)
class GatedFile:
    """A measured file with the verdict on it.

    Attributes:
        measured: The file.
        gate: The comparison with the float student.
        notes: Further findings, in words.
        passed_over: Whether the next safer file is taken although this one passes, because the
            safer one is quicker on every device.
    """

    measured: Measured
    gate: GateRecord
    notes: tuple[str, ...] = ()
    passed_over: bool = False

    @property
    def attempt(self) -> Attempt:
        """What was lowered."""
        return self.measured.attempt

    @property
    def passed(self) -> bool:
        """Whether every limit holds."""
        return self.gate.passed

    def refused(self, reason: str) -> GatedFile:
        """This file, refused for a further reason."""
        gate = msgspec.structs.replace(self.gate, passed=False, reasons=(reason,))
        return replace(self, gate=gate)


def judge_attempt(attempt: Measured | Failed, reference: GateReference) -> GatedFile | Failed:
    """The verdict on a measured file; a failed attempt stays what it is."""
    if isinstance(attempt, Failed):
        return attempt
    gate = evidence_task(reference.task).judge(
        reference,
        attempt.answers.outputs,
        runtime=attempt.answers.facts,
        exact=attempt.attempt.variant.precision == "fp32",
    )
    findings = attempt.check.findings if attempt.check is not None else ()
    tuned = ("fine-tuned with simulated int8",) if attempt.attempt.quantisation_aware else ()
    return GatedFile(attempt, gate, (*tuned, *findings))


def with_speed(ladder: Sequence[GatedFile | Failed]) -> list[GatedFile | Failed]:
    """The ladder with notes on the speed of each file beside the next safer one that passes."""
    return [
        one if isinstance(one, Failed) else _with_speed(one, ladder[place + 1 :])
        for place, one in enumerate(ladder)
    ]


def _with_speed(gated: GatedFile, safer_rungs: Sequence[GatedFile | Failed]) -> GatedFile:
    safer = next((one for one in safer_rungs if isinstance(one, GatedFile) and one.passed), None)
    if safer is None:
        return gated
    notes = (*gated.notes, *_speed_notes(gated.measured, safer.measured))
    slower = _ratio(gated.measured, safer.measured) > _SLOWER
    partitioned = _in_more_partitions(gated.measured, safer.measured)
    return replace(gated, notes=notes, passed_over=slower and partitioned)


def select(ladder: Sequence[GatedFile | Failed]) -> GatedFile | None:
    """The first file that passes and is not passed over; None where there is none."""
    files = (one for one in ladder if isinstance(one, GatedFile))
    return next((one for one in files if one.passed and not one.passed_over), None)


def rungs_of(
    ladder: Sequence[GatedFile | Failed], chosen: GatedFile | None = None
) -> tuple[Rung, ...]:
    """The manifest's records of a ladder, of which a bundle takes one file or none."""
    return tuple(
        _failed_rung(one) if isinstance(one, Failed) else _gated_rung(one, chosen=one is chosen)
        for one in ladder
    )


def _gated_rung(gated: GatedFile, *, chosen: bool) -> Rung:
    variant = gated.attempt.variant
    return Rung(
        precision=variant.precision,
        float_layers=variant.float_layers,
        quantisation_aware=gated.attempt.quantisation_aware,
        chosen=chosen,
        size_bytes=_size_of(gated.measured.made),
        host_latency_ms=gated.measured.latency_ms,
        notes=gated.notes,
        gate=gated.gate,
    )


def _failed_rung(failed: Failed) -> Rung:
    variant = failed.attempt.variant
    return Rung(
        precision=variant.precision,
        float_layers=variant.float_layers,
        quantisation_aware=failed.attempt.quantisation_aware,
        chosen=False,
        size_bytes=_size_of(failed.made) if failed.made else 0,
        gate=None,
        failure=failed.failure,
    )


def _size_of(made: Kept) -> int:
    return sum(file.stat().st_size for file in made.folder.iterdir())


def tried(rungs: Sequence[Rung]) -> int:
    """Number of files that were judged until one was taken, that one included."""
    places = [place for place, rung in enumerate(rungs) if rung.chosen]
    read = rungs[: places[0] + 1] if places else rungs
    return sum(rung.gate is not None for rung in read)


def _speed_notes(measured: Measured, safer: Measured) -> Iterator[str]:
    if _in_more_partitions(measured, safer):
        yield f"the engine takes it in {measured.partitions} pieces"
    ratio = _ratio(measured, safer)
    if ratio > _SLOWER:
        yield f"{ratio:.1f} times the time of {safer.attempt.label} on this host"


def _in_more_partitions(measured: Measured, safer: Measured) -> bool:
    if measured.partitions is None or safer.partitions is None:
        return False
    return measured.partitions > safer.partitions


def _ratio(measured: Measured, safer: Measured) -> float:
    """Time of a file over that of the safer one; 0 where one of them is not known."""
    if not measured.latency_ms or not safer.latency_ms:
        return 0.0
    return measured.latency_ms / safer.latency_ms
