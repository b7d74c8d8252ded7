"""The study: its storages, its queue, and which trials count. With Optuna itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import optuna
import pytest
import searches
from optuna.trial import TrialState

from edgekd.errors import InputError
from edgekd.tune import study as studies
from edgekd.tune.job import TuneJob
from edgekd.tune.study import (
    ATTEMPTS,
    DEFAULT,
    FAILURE,
    POINT,
    begin_with_default,
    enough,
    fail,
    finished,
    is_feasible,
    open_study,
    requeue,
    unfinished,
)
from edgekd.tune.trial import suggested

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
"""These tests take trials by `ask`, workers by `optimize`."""


@pytest.fixture(params=["journal", "database"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> optuna.Study:
    storage = f"sqlite:///{tmp_path / 'study.db'}" if request.param == "database" else None
    return open_study(searches.job_of(tmp_path), tmp_path, storage)


def begun(study: optuna.Study, job: TuneJob) -> optuna.trial.Trial:
    trial = study.ask()
    suggested(trial, job.typed_space)
    return trial


def frozen(study: optuna.Study, number: int) -> optuna.trial.FrozenTrial:
    return study.get_trials()[number]


def test_a_study_is_opened_again_with_its_trials(study: optuna.Study, tmp_path: Path) -> None:
    study.tell(begun(study, searches.job_of(tmp_path)), [0.5, 10.0])
    storage = next((f"sqlite:///{file}" for file in tmp_path.glob("*.db")), None)
    again = open_study(searches.job_of(tmp_path, trials=99), tmp_path, storage)
    assert [trial.values for trial in again.get_trials()] == [[0.5, 10.0]]


def test_another_search_of_that_name_is_refused(study: optuna.Study, tmp_path: Path) -> None:
    storage = next((f"sqlite:///{file}" for file in tmp_path.glob("*.db")), None)
    with pytest.raises(InputError, match="another search") as caught:
        open_study(searches.job_of(tmp_path, chance=0.9), tmp_path, storage)
    assert "--study" in caught.value.hint
    if storage:
        open_study(searches.job_of(tmp_path, chance=0.9), tmp_path, storage, name="other")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "no url", "nosuch://x:secret@y/z"])
def test_a_database_that_cannot_be_opened_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="cannot be opened") as caught:
        open_study(searches.job_of(tmp_path), tmp_path, url)
    assert "secret" not in caught.value.message + caught.value.hint


def test_the_first_trial_is_the_recipe_itself(study: optuna.Study, tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    for _ in range(2):  # a search that continues has it already
        begin_with_default(study, job, msgspec.to_builtins(job.typed_recipe))
    first, second = begun(study, job), begun(study, job)
    assert first.params == {searches.WIDTHS: 1.0, searches.RATE: 4e-3}
    assert first.user_attrs[DEFAULT] is True
    assert DEFAULT not in second.user_attrs


def test_a_recipe_outside_of_the_space_is_a_trial_without_parameters(tmp_path: Path) -> None:
    space = {searches.RATE: {"low": 1e-5, "high": 1e-4}}
    job = searches.job_of(tmp_path, space=space)
    study = open_study(job, tmp_path)
    begin_with_default(study, job, msgspec.to_builtins(job.typed_recipe))
    assert study.ask().user_attrs == {DEFAULT: True, POINT: {}}


def test_a_trial_of_a_dead_worker_is_tried_again_so_often(
    study: optuna.Study, tmp_path: Path
) -> None:
    job = searches.job_of(tmp_path)
    begin_with_default(study, job, msgspec.to_builtins(job.typed_recipe))
    points = []
    for attempt in range(ATTEMPTS):
        trial = begun(study, job)
        points.append(trial.params)
        assert [each.number for each in unfinished(study)] == [trial.number]
        assert fail(study, frozen(study, trial.number)) is (attempt < ATTEMPTS - 1)
        assert len(finished(study)) == (attempt == ATTEMPTS - 1)
    assert points == [points[0]] * ATTEMPTS
    assert [trial.user_attrs[DEFAULT] for trial in study.get_trials()] == [True] * ATTEMPTS
    assert begun(study, job).params != points[0]  # the queue is empty
    assert len(unfinished(study)) == 1


def test_an_interruption_by_the_user_counts_as_no_attempt(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    study = open_study(job, tmp_path)
    for _ in range(2 * ATTEMPTS):
        assert fail(study, frozen(study, begun(study, job).number), kills=0)
        assert finished(study) == []


def test_a_trial_that_ended_before_it_began_keeps_its_point(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    study = open_study(job, tmp_path)
    begin_with_default(study, job, msgspec.to_builtins(job.typed_recipe))
    fail(study, frozen(study, study.ask().number))  # killed before it suggested anything
    assert begun(study, job).params == {searches.WIDTHS: 1.0, searches.RATE: 4e-3}


def test_a_trial_that_finished_after_all_is_left_alone(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    study = open_study(job, tmp_path)
    trial = begun(study, job)
    before = frozen(study, trial.number)
    study.tell(trial, [0.5, 1.0])
    assert not fail(study, before)
    assert frozen(study, trial.number).state == TrialState.COMPLETE
    assert len(study.get_trials()) == 1


def test_a_trial_with_a_failure_counts_and_one_that_its_worker_left_does_not(
    tmp_path: Path,
) -> None:
    job = searches.job_of(tmp_path, trials=2)
    study = open_study(job, tmp_path)
    diverged, left = begun(study, job), begun(study, job)
    assert enough(study, 2)
    diverged.set_user_attr(FAILURE, "it diverged")
    for trial in (diverged, left):
        study.tell(trial, state=TrialState.FAIL)
    assert [trial.number for trial in finished(study)] == [diverged.number]
    assert [trial.number for trial in unfinished(study)] == [left.number]
    assert not enough(study, 2)


def test_stale_trials_of_another_machine_are_queued_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Optuna's heartbeats, which a database has."""
    monkeypatch.setattr(studies, "_HEARTBEAT", 1)
    job = searches.job_of(tmp_path)
    study = open_study(job, tmp_path, f"sqlite:///{tmp_path / 'study.db'}")
    trial = begun(study, job)
    study._storage.record_heartbeat(trial._trial_id)
    monkeypatch.setattr(study._storage._backend, "grace_period", 0)
    time.sleep(1.1)  # a heartbeat's age has whole seconds
    study.optimize(lambda again: (0.5, float(again.user_attrs[studies._KILLS])), n_trials=1)
    assert frozen(study, trial.number).state == TrialState.FAIL
    assert [each.values for each in finished(study)] == [[0.5, 1.0]]


def test_a_refused_trial_is_not_feasible(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    study = open_study(job, tmp_path)
    for value in (-1.0, 1.0):
        trial = begun(study, job)
        trial.set_constraint("refused", value)
        study.tell(trial, [0.5, 1.0])
    begun(study, job)
    assert [is_feasible(trial) for trial in study.get_trials()] == [True, False, False]
    assert [trial.number for trial in study.best_trials] == [0]


@pytest.mark.parametrize(
    ("cost", "pruning", "kind"),
    [
        ("none", "median", optuna.pruners.MedianPruner),
        ("none", "hyperband", optuna.pruners.HyperbandPruner),
        ("none", "none", optuna.pruners.NopPruner),
        ("macs", "median", optuna.pruners.NopPruner),
    ],
)
def test_one_objective_is_pruned_and_two_are_not(
    tmp_path: Path, cost: str, pruning: str, kind: type
) -> None:
    job = searches.job_of(tmp_path, cost=cost, pruning=pruning)
    assert isinstance(open_study(job, tmp_path).pruner, kind)


def test_processes_of_other_numbers_draw_other_points(tmp_path: Path) -> None:
    job = searches.job_of(tmp_path)
    drawn = [begun(open_study(job, tmp_path, number=n), job).params for n in (0, 1)]
    assert drawn[0] != drawn[1]


def test_the_journal_s_lock_ends_with_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna's own locks are files that outlive a killed process by half a minute."""
    open_study(searches.job_of(tmp_path), tmp_path)
    script = (
        "import os, signal, sys; from edgekd.tune.study import _KernelLock; "
        "_KernelLock(sys.argv[1]).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "study.journal")]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("the lock is waited for"))
    open_study(searches.job_of(tmp_path), tmp_path).ask()


def test_requeue_is_of_no_use_for_a_trial_without_any_point(tmp_path: Path) -> None:
    """It is drawn again by the sampler, so that the number of trials is what was requested."""
    job = searches.job_of(tmp_path)
    study = open_study(job, tmp_path)
    trial = study.ask()
    study.tell(trial, state=TrialState.FAIL)
    assert requeue(study, frozen(study, trial.number))
    assert set(begun(study, job).params) == set(job.space)
