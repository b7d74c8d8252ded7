"""A worker of a search: `python -m edgekd.tune.worker OUT NUMBER STUDY`.

It takes trials from the shared study until enough of them count or run. The database's URL comes in
the environment, since it may hold a password.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import msgspec
import optuna
from filelock import FileLock

from edgekd.errors import DeviceUnreachableError, EdgekdError, MissingDependencyError, StoppedError
from edgekd.files import pretty_json, write_atomically
from edgekd.tune.job import TuneJob, read_job
from edgekd.tune.study import DEFAULT, FAILURE, POINT, WORKER, enough, open_study
from edgekd.tune.trial import TrialRunner, suggested

__all__ = [
    "STORAGE",
    "TURN",
    "FailedTrialError",
    "WorkerFailure",
    "failure_file",
    "owner_prefix",
    "run_trials",
]  # fmt: skip

STORAGE = "EDGEKD_TUNE_STORAGE"
"""Environment variable with the URL of the database."""

TURN = ".turn.lock"
"""Lock under which a worker takes its next trial: so many are begun as were requested."""

_FATAL = (MissingDependencyError, DeviceUnreachableError)
"""Errors that every other trial would end with too."""

_PATIENCE = 10.0
"""Seconds that a training has to save where the search itself is gone."""


class FailedTrialError(Exception):
    """A trial has failed for a reason that is recorded with it."""


class WorkerFailure(msgspec.Struct, frozen=True, kw_only=True):
    """The error that ended a worker, for the process that started it.

    Attributes:
        message: What is wrong.
        hint: What to do.
        exit_code: Exit code of the error.
    """

    message: str
    hint: str
    exit_code: int


def failure_file(out: Path, number: int) -> Path:
    """The file of the error that ended a worker."""
    return out / "logs" / f"worker-{number}.json"


def owner_prefix(out: Path) -> str:
    """The beginning of the names of a search's workers on this machine; a process id follows."""
    return f"{socket.gethostname()}:{out.resolve()}:"


def run_trials(out: Path, number: int, study_name: str, storage: str | None) -> None:
    """Run trials until enough of them count or run.

    Args:
        out: Folder of the search.
        number: Number of the worker, from which its random draws follow.
        study_name: Name of the study.
        storage: URL of the database; None takes the journal in the folder.
    """
    job = read_job(out)
    study = open_study(job, out, storage, name=study_name, number=number)
    cores = os.cpu_count() or 1
    threads = job.typed_recipe.trainer.threads or max(1, cores // job.workers)
    runner = TrialRunner(job, out, threads, lambda line: print(line, file=sys.stderr, flush=True))
    turn = FileLock(out / TURN)
    while _next_trial(study, runner, turn):
        pass


def _next_trial(study: optuna.Study, runner: TrialRunner, turn: FileLock) -> bool:
    """Run one trial; False where enough count or run."""
    turn.acquire()
    try:
        if enough(study, runner.job.trials):
            return False
        study.optimize(
            lambda trial: _objective(trial, runner, turn), n_trials=1, catch=(FailedTrialError,)
        )
    finally:
        turn.release(force=True)
    return True


def _objective(trial: optuna.Trial, runner: TrialRunner, turn: FileLock) -> Sequence[float]:
    trial.set_user_attr(WORKER, f"{owner_prefix(runner.out)}{os.getpid()}")
    stored = _point(trial, runner.job)
    turn.release()
    try:
        return runner.run(trial, stored)
    except (optuna.TrialPruned, *_FATAL):
        raise
    except Exception as error:
        traceback.print_exc()
        message = error.message if isinstance(error, EdgekdError) else repr(error)
        trial.set_user_attr(FAILURE, message)
        raise FailedTrialError(message) from error


def _point(trial: optuna.Trial, job: TuneJob) -> dict[str, object]:
    """The trial's parameters; none for the recipe itself where it is outside of the space."""
    if trial.user_attrs.get(DEFAULT) and not trial.user_attrs.get(POINT):
        return {}
    return suggested(trial, job.typed_space)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: its end of stdin closes."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)  # at which a training saves
        time.sleep(_PATIENCE)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: Sequence[str]) -> int:
    """Run a worker; the exit code is 0, or that of an error."""
    out, number, study_name = Path(arguments[0]), int(arguments[1]), arguments[2]
    _end_with_parent()
    try:
        run_trials(out, number, study_name, os.environ.get(STORAGE))
    except StoppedError as error:  # its trial is not failed: the search tries it again
        return error.exit_code
    except EdgekdError as error:
        failure = WorkerFailure(message=error.message, hint=error.hint, exit_code=error.exit_code)
        write_atomically(failure_file(out, number), pretty_json(failure))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
