"""The worker processes of a search on this machine: started, replaced, and ended together.

A worker that is killed leaves its trial running. The trial is marked as failed and queued again;
its training continues from its last checkpoint. The machines that share a database each see to
their own workers, and Optuna's heartbeats reveal the trials of a machine that is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import optuna
import torch
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from edgekd.errors import EdgekdError, InputError
from edgekd.files import make_folder
from edgekd.tune.job import TuneJob
from edgekd.tune.study import FAILURE, WORKER, enough, fail, finished, unfinished
from edgekd.tune.worker import STORAGE, TURN, WorkerFailure, failure_file, owner_prefix

__all__ = ["WorkerError", "Workers", "recover"]

_POLL = 0.3
"""Seconds between two looks at the workers."""
_PATIENCE = 15.0
"""Seconds that workers have to end before they are killed."""
_HOPELESS = 4
"""Number of failed trials without any success, or of dead workers without any finished trial,
after which a search ends."""


class WorkerError(EdgekdError):
    """A worker ended for a reason that would end every other one.

    Args:
        failure: The error in the worker.
    """

    def __init__(self, failure: WorkerFailure) -> None:
        super().__init__(failure.message, failure.hint)
        self.exit_code = failure.exit_code


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[bytes]

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """Wait for the process, and close its stdin."""
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


@dataclass
class Workers:
    """The workers of a search.

    Attributes:
        job: The search.
        out: Its folder.
        study: The study.
        storage: URL of the study's database; None for the journal in the folder.
        say: Receives lines of progress.
        report: Receives each trial that is finished.
    """

    job: TuneJob
    out: Path
    study: optuna.Study
    storage: str | None
    say: Callable[[str], None]
    report: Callable[[FrozenTrial], None]
    _alive: list[_Worker] = field(default_factory=list)
    _started: int = 0
    _reported: set[int] = field(default_factory=set)
    _deaths: int = 0

    def run(self) -> None:
        """Keep the workers going until enough trials are finished.

        Raises:
            WorkerError: The machine or a device lacks what every trial needs.
            InputError: Trials or workers fail one after the other.
            KeyboardInterrupt: The user ended the search; it may be continued.
        """
        self._reported = {trial.number for trial in finished(self.study)}
        make_folder(self.out / "logs")
        try:
            while len(finished(self.study)) < self.job.trials:
                self._look_after()
                time.sleep(_POLL)
        finally:
            self._end()
        self._report_new()

    def _look_after(self) -> None:
        for worker in [worker for worker in self._alive if not worker.is_alive]:
            self._alive.remove(worker)
            worker.close()
            if worker.process.returncode:
                self._bury(worker)
        self._report_new()
        if len(self._alive) < self.job.workers and not enough(self.study, self.job.trials):
            self._start()

    def _start(self) -> None:
        # Every worker ever started has a number of its own, from which its random draws follow.
        number = len(self.study.get_trials(deepcopy=False)) + self._started
        self._started += 1
        failure_file(self.out, number).unlink(missing_ok=True)
        command = _command(self.out, number, self.study.study_name)
        with (self.out / "logs" / f"worker-{number}.log").open("ab") as log:
            # In a new session, so that Ctrl-C of a terminal reaches this process alone.
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=_environment(self.storage, len(self._alive)), start_new_session=True,
            )  # fmt: skip
        self._alive.append(_Worker(number, process))

    def _bury(self, worker: _Worker) -> None:
        """Queue the trial of a dead worker again, and end the search if that is of no use."""
        file = failure_file(self.out, worker.number)
        failure = None
        if file.is_file():
            failure = msgspec.json.decode(file.read_bytes(), type=WorkerFailure)
        again = self._requeue([worker], kills=0 if failure else 1)
        if failure is not None:
            raise WorkerError(failure)
        self._deaths += 1
        trials = f" in trial {', '.join(map(str, again))}, which is tried again" if again else ""
        self.say(f"worker {worker.number} ended by {_cause(worker.process.returncode)}{trials}")
        if self._deaths >= _HOPELESS:
            log = self.out / "logs" / f"worker-{worker.number}.log"
            message = f"{self._deaths} workers ended one after the other: {_last_line(log)}"
            raise InputError(message, f"read {log}")

    def _requeue(self, dead: Iterable[_Worker], *, kills: int) -> list[int]:
        """Queue the unfinished trials of dead workers again; returns their numbers."""
        names = {f"{owner_prefix(self.out)}{worker.process.pid}" for worker in dead}
        abandoned = [t for t in unfinished(self.study) if t.user_attrs.get(WORKER) in names]
        if self.storage is None:
            abandoned += _without_worker(self.study, self.out)
        return [trial.number for trial in abandoned if fail(self.study, trial, kills=kills)]

    def _report_new(self) -> None:
        done = finished(self.study)
        for trial in done:
            if trial.number not in self._reported:
                self._reported.add(trial.number)
                self._deaths = 0
                self.report(trial)
        failed = [trial for trial in done if trial.state == TrialState.FAIL]
        if len(failed) == len(done) >= min(_HOPELESS, self.job.trials):
            why = failed[0].user_attrs.get(FAILURE, "its workers were killed")
            message = f"no trial succeeds; trial {failed[0].number}: {why}"
            raise InputError(message, f"correct the recipe or the space; logs: {self.out / 'logs'}")

    def _end(self) -> None:
        """End the workers that are left, and queue their trials again."""
        for worker in self._alive:
            if worker.is_alive:
                worker.process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for worker in self._alive:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(deadline - time.monotonic(), 0.1))
            worker.process.kill()
            worker.close()
        self._requeue(self._alive, kills=0)
        self._alive.clear()


def recover(study: optuna.Study, out: Path, storage: str | None) -> int:
    """Queue the trials again that an earlier process of the same search left unfinished.

    Its workers ended with it. To be called under the lock of the search's folder.

    Returns:
        Their number.
    """
    prefix = owner_prefix(out)
    abandoned = [
        trial
        for trial in unfinished(study)
        if storage is None or str(trial.user_attrs.get(WORKER, "")).startswith(prefix)
    ]
    return sum(fail(study, trial, kills=0) for trial in abandoned)


def _without_worker(study: optuna.Study, out: Path) -> list[FrozenTrial]:
    """Trials whose worker was killed before it wrote its name, which it does in its turn."""
    with FileLock(out / TURN):
        return [
            trial
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if WORKER not in trial.user_attrs
        ]


def _command(out: Path, number: int, study: str) -> list[str]:
    return [sys.executable, "-m", "edgekd.tune.worker", str(out), str(number), study]


def _environment(storage: str | None, place: int) -> dict[str, str]:
    """The environment of a worker, with one of the machine's GPUs."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    if storage is not None:
        environment[STORAGE] = storage
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",") if visible else list(map(str, range(torch.cuda.device_count())))
    if len(devices) > 1:
        environment["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]
    return environment


def _cause(code: int) -> str:
    """Why a process ended, in words."""
    if code < 0:
        return f"the signal {signal.Signals(-code).name}"
    return f"an error (exit code {code})"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "its log is empty"
