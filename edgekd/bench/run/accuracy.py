"""The accuracy stage of a run: every teacher, student and bundle answers every image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from edgekd.bench.devices import Device
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure.flags import NOT_MEASURED, Flag
from edgekd.bench.measure.machine import default_threads
from edgekd.bench.run.answers import (
    RowAnswers,
    Unanswered,
    bundle_answers,
    checkpoint_answers,
    unanswered_bundle,
)
from edgekd.bench.run.log import INTERRUPTED, RunInterruptedError, RunLog
from edgekd.bench.run.progress import RunProgress
from edgekd.bench.run.reach import DeviceLink
from edgekd.bench.run.request import BenchRequest
from edgekd.bench.subjects.data import BenchData
from edgekd.errors import ArtefactError, DeviceUnreachableError, MissingDependencyError

__all__ = ["AccuracyStage"]

_NO_ACCURACY = NOT_MEASURED["accuracy"]


@dataclass(frozen=True)
class AccuracyStage:
    """Collects the answers of every row, on the device where it can decide, else on this host.

    Attributes:
        request: What is measured.
        data: The images.
        link: The device.
        host: This machine.
        threads: Threads of the engine on the device.
        log: Records what cannot be measured.
        progress: Shows how many images are done.
    """

    request: BenchRequest
    data: BenchData
    link: DeviceLink
    host: Device
    threads: int
    log: RunLog
    progress: RunProgress

    def run(self) -> list[RowAnswers]:
        """Answers of the teacher, the float student and every bundle, in this order.

        Raises:
            MissingDependencyError: PyTorch is missing, or no bundle has its engine here.
            InputError, ArtefactError: See `checkpoint_answers` and `bundle_answers`.
        """
        request, rows = self.request, list[RowAnswers]()
        roles: tuple[tuple[Literal["teacher", "student"], Path | None], ...] = (
            ("teacher", request.teacher),
            ("student", request.student),
        )
        for role, folder in roles:
            if folder is not None:
                rows += self._unless_interrupted(partial(self._checkpoint, folder, role), role)
        for path in request.bundles:
            answers = self._unless_interrupted(partial(self._bundle, path), path.name)
            rows += answers or [unanswered_bundle(path, RunInterruptedError(INTERRUPTED))]
        _require_an_engine(rows)
        return rows

    def _unless_interrupted(self, work: Callable[[], RowAnswers], name: str) -> list[RowAnswers]:
        """The row's answers; empty once the user has pressed Ctrl-C."""
        if not self.log.interrupted:
            try:
                return [work()]
            except KeyboardInterrupt:
                self.log.interrupt(name)
        self.log.miss(name, Flag(_NO_ACCURACY, INTERRUPTED))
        return []

    def _checkpoint(self, folder: Path, role: Literal["teacher", "student"]) -> RowAnswers:
        with self.progress.step(f"accuracy: {role}", len(self.data.images)) as step:
            return checkpoint_answers(folder, role, self.data, step)

    def _bundle(self, path: Path) -> RowAnswers:
        device = self.link.device
        is_target = self.link.is_for_device(path)
        if is_target and device is not None and device.decides and self.log.lost is None:
            try:
                return self._answers(path, device, is_target=True)
            except DeviceUnreachableError as error:
                self.log.lose(device.name, error)
            except (WorkerError, ArtefactError) as error:  # this file fails on this device alone
                self.log.miss(path.name, Flag(_NO_ACCURACY, str(error)))
                failure = ArtefactError(f"{path.name} on {device.name}: {error}")
                return unanswered_bundle(path, failure)
        return self._answers(path, self.host, is_target=False)

    def _answers(self, path: Path, on: Device, *, is_target: bool) -> RowAnswers:
        threads = self.threads if is_target else default_threads()
        with self.progress.step(f"accuracy: {path.name}", len(self.data.images)) as step:
            return bundle_answers(
                path, self.data, on=on, is_target=is_target, threads=threads, step=step
            )


def _require_an_engine(rows: Sequence[RowAnswers]) -> None:
    """Raise where no bundle has its engine; one missing engine among others is a flag."""
    artefacts = [row for row in rows if row.row.role == "artefact"]
    missing = [
        row.reason
        for row in artefacts
        if isinstance(row, Unanswered) and isinstance(row.reason, MissingDependencyError)
    ]
    if missing and len(missing) == len(artefacts):
        raise missing[0]
