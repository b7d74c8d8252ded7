"""The timing stage of a run: speed, memory and energy of every row, or why they are missing."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from edgekd.bench.devices import find_device, runs_on
from edgekd.bench.measure.flags import NOT_MEASURED, Flag, is_not_measured
from edgekd.bench.result import ResultRow
from edgekd.bench.run.answers import Answered, RowAnswers, Unanswered
from edgekd.bench.run.log import INTERRUPTED, RunLog
from edgekd.bench.run.passes import TimingPlan, measured_row
from edgekd.bench.run.progress import RunProgress
from edgekd.bench.run.reach import DeviceLink
from edgekd.errors import DeviceUnreachableError

__all__ = ["TimingStage", "from_host"]

_NOT_TIMED = NOT_MEASURED["latency"]


@dataclass(frozen=True)
class TimingStage:
    """Times every row that runs on the device.

    Attributes:
        device_name: Name of the device, as the user wrote it.
        link: The link to it.
        plan: What is measured for every row.
        log: Records what cannot be measured.
        progress: Shows how many passes are done.
    """

    device_name: str
    link: DeviceLink
    plan: TimingPlan
    log: RunLog
    progress: RunProgress

    def run(self, answers: Sequence[RowAnswers]) -> list[ResultRow]:
        """The rows with their measurements; a flag explains each number that is missing."""
        return [self._row(each) for each in answers]

    def _row(self, answers: RowAnswers) -> ResultRow:
        obstacle = self._obstacle(answers)
        if obstacle is None and self.log.interrupted:
            obstacle = Flag(_NOT_TIMED, INTERRUPTED)
            self.log.miss(answers.row.name, obstacle)
        if obstacle is not None:
            return _untimed(answers, obstacle)
        row = self._timed(answers)
        self._record_missing(row)
        return row

    def _timed(self, answers: RowAnswers) -> ResultRow:
        device = self.link.device
        assert device is not None  # without one there is an obstacle
        name = answers.row.name
        try:
            with self.progress.step(f"speed and memory: {name}", self.plan.passes) as step:
                row = measured_row(answers, device, self.plan, step)
        except KeyboardInterrupt:
            self.log.interrupt(name)
            return _untimed(answers, Flag(_NOT_TIMED, INTERRUPTED))
        except DeviceUnreachableError as error:
            self.log.lose(device.name, error)
            return _untimed(answers, Flag(_NOT_TIMED, error.message))
        if device.decides or isinstance(answers, Unanswered):
            return row
        return msgspec.structs.replace(row, flags=[*row.flags, from_host(row)])

    def _record_missing(self, row: ResultRow) -> None:
        for flag in filter(is_not_measured, row.flags):
            # Energy counts as requested only where a meter was given.
            if self.plan.meter is not None or flag.code != NOT_MEASURED["energy"]:
                self.log.miss(row.name, flag)

    def _obstacle(self, answers: RowAnswers) -> Flag | None:
        """Why the row is not timed on the device; None where it can be."""
        device, elsewhere = self.link.device, self._belongs_elsewhere(answers.row)
        if device is None or elsewhere:
            return Flag(_NOT_TIMED, elsewhere)
        if self.log.lost is not None:
            return Flag(_NOT_TIMED, self.log.lost.message)
        if device.emulated:
            detail = f"{self.device_name} is emulated, and an emulated processor has no own speed"
            return Flag("emulated", detail)
        if device.kind != "local" and answers.row.role != "artefact":
            detail = f"it runs on the host, and this run is about {self.device_name}"
            return Flag(_NOT_TIMED, detail)
        if isinstance(answers, Unanswered):
            return Flag(_NOT_TIMED, answers.reason.message)
        return None

    def _belongs_elsewhere(self, row: ResultRow) -> str:
        """Why the row is not timed on the device of this run; empty where it is its device."""
        name, target, device = self.device_name, row.target, self.link.device
        if target is not None and target != name and not runs_on(target, device):
            if find_device(target) is None:
                return f"no {target} device is configured"
            return f"it is built for {target}, and this run is about {name}"
        return f"no {name} device is configured" if device is None else ""


def _untimed(answers: RowAnswers, obstacle: Flag) -> ResultRow:
    row, flags = answers.row, [obstacle]
    match answers:
        case Unanswered():
            flags.append(Flag(NOT_MEASURED["accuracy"], answers.reason.message))
        case Answered(device=None):
            flags.append(from_host(row))
    return msgspec.structs.replace(row, flags=[*row.flags, *flags])


def from_host(row: ResultRow) -> Flag:
    """The flag of a row whose answers were computed on this host."""
    engine = row.runtime.get("engine", row.backend)
    return Flag("accuracy-from-host", f"{engine} on {platform.machine()}")
