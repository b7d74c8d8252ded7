"""The Optuna study that the processes of a search share, and the states of its trials.

Without a database the study is Optuna's journal file, which it recommends for several processes
that share a file system. A database may be shared by machines; its heartbeats reveal trials of a
machine that is gone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from edgekd.errors import InputError
from edgekd.tune.job import TuneJob

__all__ = [
    "ATTEMPTS", "DEFAULT", "FAILURE", "POINT", "WORKER", "begin_with_default", "enough", "fail",
    "finished", "is_feasible", "open_study", "requeue", "unfinished",
]  # fmt: skip

WORKER, FAILURE, DEFAULT, POINT = "worker", "failure", "default", "point"
"""Attributes of trials: who works on it; why it failed; whether it is the recipe itself; of a
queued one its parameters, which are empty for a recipe outside of the space."""

_KILLS, _AGAIN = "kills", "again"
"""Attributes of a trial that was queued again: how often a worker of it was killed; the number of
the trial before."""

ATTEMPTS = 3
"""Number of times that a trial is tried whose worker is killed."""

_JOB = "edgekd"
_JOURNAL = "study.journal"
_HEARTBEAT = 30
"""Seconds between the heartbeats of a trial; it is stale after ten without one."""
_STARTUP = 10
"""Most trials that are drawn at random before the sampler uses their results."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's log lines and notes on experimental parts out of edgekd's output."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def open_study(
    job: TuneJob, out: Path, storage: str | None = None, *, name: str = "edgekd", number: int = 0
) -> optuna.Study:
    """The study of a search, made if it does not exist.

    Args:
        job: The search.
        out: Folder of the search.
        storage: URL of a database; None takes a journal in the folder.
        name: Name of the study in the database.
        number: Number of the process, so that processes draw different points.

    Raises:
        InputError: The database cannot be opened, or its study of that name is another search.
    """
    with _quiet():
        study = optuna.create_study(
            storage=_storage(out, storage),
            study_name=name,
            directions=job.directions,
            sampler=_sampler(job, number),
            pruner=_pruner(job),
            load_if_exists=True,
        )
    known = study.user_attrs.get(_JOB)
    if known is None:
        study.set_user_attr(_JOB, job.key())
    elif known != job.key():
        message = f"the study {name!r} in the storage is another search"
        hint = (
            "give the same recipe, space, objectives and teacher (`teacher.checkpoint`), or "
            "another --study"
        )
        raise InputError(message, hint)
    return study


def _storage(out: Path, url: str | None) -> optuna.storages.BaseStorage:
    if url is None:
        file = str(out / _JOURNAL)
        journal = JournalFileBackend(file, _KernelLock(file))
        return optuna.storages.JournalStorage(journal)
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return optuna.storages.RDBStorage(
            url,
            heartbeat_interval=_HEARTBEAT,
            grace_period=10 * _HEARTBEAT,
            heartbeat_stale_trial_callback=_requeue_stale,
        )
    except (SQLAlchemyError, ValueError) as error:  # the error may quote the password
        message = f"the database of --storage cannot be opened: {type(error).__name__}"
        raise InputError(message, "check the URL, and that the database answers") from None


def _requeue_stale(study: optuna.Study, trial: FrozenTrial) -> None:
    requeue(study, trial)


class _KernelLock(JournalFileOpenLock):
    """A lock of the journal that ends with its process; Optuna's own outlive a killed one."""

    def __init__(self, file: str) -> None:
        self._lock = FileLock(f"{file}.lock")

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()


def _sampler(job: TuneJob, number: int) -> optuna.samplers.BaseSampler:
    """TPE, which serves one objective and two, and draws apart from what runs already."""
    startup = max(3, min(_STARTUP, job.trials // 3))
    seed = job.seed * 1009 + number
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def _pruner(job: TuneJob) -> optuna.pruners.BasePruner:
    if job.cost != "none" or job.pruning == "none":  # Optuna prunes by a single objective alone
        return optuna.pruners.NopPruner()
    if job.pruning == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=job.recipe["student"]["fit"]["epochs"])
    return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)


def begin_with_default(study: optuna.Study, job: TuneJob, recipe: dict[str, Any]) -> None:
    """Make the recipe itself the first trial, which every other one is compared with.

    Args:
        study: The study.
        job: The search.
        recipe: The recipe with the defaults of its method. One outside of the space is a trial
            without parameters.
    """
    if any(trial.user_attrs.get(DEFAULT) for trial in study.get_trials(deepcopy=False)):
        return
    point = job.typed_space.point_of(recipe) or {}
    with _quiet():
        study.enqueue_trial(point, user_attrs={DEFAULT: True, POINT: point})


def fail(study: optuna.Study, trial: FrozenTrial, *, kills: int = 1) -> bool:
    """Mark a trial whose worker is gone as failed, and queue it again.

    Args:
        study: The study.
        trial: The trial.
        kills: See `requeue`.

    Returns:
        Whether it is queued again; False where it had finished, or failed too often.
    """
    state = study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True).state
    return state == TrialState.FAIL and requeue(study, trial, kills=kills)


def requeue(study: optuna.Study, trial: FrozenTrial, *, kills: int = 1) -> bool:
    """Queue the parameters of a trial whose worker is gone, unless that happened too often.

    Args:
        study: The study.
        trial: The failed trial.
        kills: How much this counts; 0 for an interruption by the user.

    Returns:
        Whether it is queued again.
    """
    count = trial.user_attrs.get(_KILLS, 0) + kills
    if count >= ATTEMPTS:
        return False
    # A queued trial that ended before it began has its parameters in the attribute alone.
    point = trial.params or trial.user_attrs.get(POINT, {})
    again = {_KILLS: count, _AGAIN: trial.number, POINT: point}
    if trial.user_attrs.get(DEFAULT):
        again[DEFAULT] = True
    with _quiet():
        study.enqueue_trial(point, user_attrs=again)
    return True


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count, in the order of their numbers: those that will not be tried again."""
    return _finished(study.get_trials(deepcopy=False))


def unfinished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that run, or that ended with their worker and are not queued again yet."""
    known = study.get_trials(deepcopy=False)
    repeated = _repeated(known)
    return [
        trial
        for trial in known
        if trial.state in (TrialState.RUNNING, TrialState.FAIL)
        and trial.number not in repeated
        and not _is_settled(trial, repeated)
    ]


def _finished(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    repeated = _repeated(trials)
    return [trial for trial in trials if _is_settled(trial, repeated)]


def _repeated(trials: Sequence[FrozenTrial]) -> set[Any]:
    """Numbers of the trials that were queued again."""
    return {trial.user_attrs.get(_AGAIN) for trial in trials}


def _is_settled(trial: FrozenTrial, repeated: set[Any]) -> bool:
    """Whether a trial has a result, or will never have one."""
    if trial.state == TrialState.FAIL:
        given_up = trial.user_attrs.get(_KILLS, 0) + 1 >= ATTEMPTS
        return trial.number not in repeated and (FAILURE in trial.user_attrs or given_up)
    return trial.state.is_finished()


def enough(study: optuna.Study, trials: int) -> bool:
    """Whether no further trial needs to begin: so many count or run."""
    known = study.get_trials(deepcopy=False)
    running = sum(trial.state == TrialState.RUNNING for trial in known)
    return len(_finished(known)) + running >= trials


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether a trial has a result that no constraint refuses."""
    return trial.state == TrialState.COMPLETE and all(
        value <= 0 for value in trial.constraints.values()
    )
