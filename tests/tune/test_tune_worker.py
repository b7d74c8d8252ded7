"""A worker's loop, in this process, with trials that train nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import optuna
import pytest
import searches
from filelock import FileLock
from optuna.trial import TrialState

from edgekd.errors import DeviceUnreachableError, InputError, StoppedError
from edgekd.tune import worker
from edgekd.tune.study import (
    FAILURE,
    POINT,
    WORKER,
    begin_with_default,
    finished,
    open_study,
    unfinished,
)
from edgekd.tune.worker import TURN, WorkerFailure, failure_file, owner_prefix, run_trials

Values = tuple[float, float]


def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[int], Values],
        **fields: object) -> optuna.Study:  # fmt: skip
    """A search whose trials call `work` with their number."""
    job = searches.started(tmp_path, **fields)

    def run(self: worker.TrialRunner, trial: optuna.Trial, stored: Mapping[str, object]) -> Values:
        points.append(dict(stored))
        return work(trial.number)

    points: list[dict[str, object]] = []
    monkeypatch.setattr(worker.TrialRunner, "run", run)
    study = open_study(job, tmp_path)
    study.points = points  # type: ignore[attr-defined]
    return study


def test_trials_run_until_there_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = toy(tmp_path, monkeypatch, lambda number: (0.5, float(number + 1)), trials=3)
    run_trials(tmp_path, 0, "edgekd", None)
    run_trials(tmp_path, 1, "edgekd", None)  # there is nothing left to do
    assert [trial.values for trial in finished(study)] == [[0.5, 1.0], [0.5, 2.0], [0.5, 3.0]]
    owners = {trial.user_attrs[WORKER] for trial in finished(study)}
    assert owners == {f"{owner_prefix(tmp_path)}{os.getpid()}"}


def test_the_turn_is_passed_on_while_a_trial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[bool] = []

    def work(number: int) -> Values:
        with FileLock(tmp_path / TURN, timeout=1):
            free.append(True)
        return 0.5, 1.0

    toy(tmp_path, monkeypatch, work, trials=2)
    run_trials(tmp_path, 0, "edgekd", None)
    assert free == [True, True]


@pytest.mark.parametrize("error", [InputError("it diverged", ""), ZeroDivisionError("a bug")])
def test_a_failed_trial_is_recorded_and_the_next_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def work(number: int) -> Values:
        if number == 0:
            raise error
        return 0.5, 1.0

    study = toy(tmp_path, monkeypatch, work, trials=2)
    run_trials(tmp_path, 0, "edgekd", None)
    first, second = finished(study)
    assert (first.state, second.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert ("it diverged" in first.user_attrs[FAILURE]) == isinstance(error, InputError)


def test_a_pruned_trial_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(number: int) -> Values:
        raise optuna.TrialPruned

    study = toy(tmp_path, monkeypatch, work, trials=2, cost="none")
    run_trials(tmp_path, 0, "edgekd", None)
    assert [trial.state for trial in finished(study)] == [TrialState.PRUNED] * 2


def test_what_would_end_every_trial_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(number: int) -> Values:
        raise DeviceUnreachableError("the board does not answer", "switch it on")

    study = toy(tmp_path, monkeypatch, work, trials=2)
    monkeypatch.setattr(worker, "_end_with_parent", lambda: None)
    assert worker.main([str(tmp_path), "3", "edgekd"]) == 5
    failure = msgspec.json.decode(failure_file(tmp_path, 3).read_bytes(), type=WorkerFailure)
    assert failure == WorkerFailure(
        message="the board does not answer", hint="switch it on", exit_code=5
    )
    assert finished(study) == []  # the trial is to be tried again


def test_a_trial_that_a_signal_stopped_is_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its training has saved, and continues where it is tried again."""

    def work(number: int) -> Values:
        raise StoppedError("stopped by SIGTERM", 143)

    study = toy(tmp_path, monkeypatch, work, trials=1)
    monkeypatch.setattr(worker, "_end_with_parent", lambda: None)
    assert worker.main([str(tmp_path), "0", "edgekd"]) == 143
    assert not failure_file(tmp_path, 0).exists()
    assert finished(study) == []
    assert len(unfinished(study)) == 1


def test_the_recipe_itself_has_its_point_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = toy(tmp_path, monkeypatch, lambda number: (0.5, 1.0), trials=2)
    job = searches.job_of(tmp_path)
    begin_with_default(study, job, {})  # which is outside of the space
    run_trials(tmp_path, 0, "edgekd", None)
    assert study.points[0] == {}
    assert set(study.points[1]) == {searches.WIDTHS, searches.RATE}
    assert study.get_trials()[0].user_attrs[POINT] == {}
