"""The processes of a search: killed, failing and interrupted ones. They train nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import searches
from optuna.trial import FrozenTrial, TrialState

from edgekd.errors import InputError
from edgekd.files import pretty_json
from edgekd.tune import workers
from edgekd.tune.job import TuneJob
from edgekd.tune.study import FAILURE, WORKER, finished, open_study
from edgekd.tune.worker import STORAGE, WorkerFailure, failure_file
from edgekd.tune.workers import WorkerError, Workers, recover

TOY = Path(__file__).with_name("toy_worker.py")
SEARCH = Path(__file__).with_name("toy_search.py")
SPACE = {searches.RATE: searches.SPACE[searches.RATE]}


class Toy:
    """A search by toy workers, observed from another thread."""

    def __init__(self, out: Path, monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
        self.out, self.lines, self.reported = out, [], []
        self.job: TuneJob = searches.started(out, space=SPACE, **fields)
        self.study = open_study(self.job, out)
        monkeypatch.setattr(workers, "_command", self._command)
        monkeypatch.setattr(workers, "_POLL", 0.05)

    def _command(self, out: Path, number: int, study: str) -> list[str]:
        return [sys.executable, str(TOY), str(out), str(number), study]

    def run(self) -> None:
        def report(trial: FrozenTrial) -> None:
            self.reported.append(trial.number)

        Workers(self.job, self.out, self.study, None, self.lines.append, report).run()

    def flag(self, name: str, text: str = "") -> Path:
        file = self.out / name
        file.write_text(text)
        return file

    def running(self, count: int) -> list[FrozenTrial]:
        """That many running trials, once there are so many."""
        for _ in range(3000):
            trials = self.study.get_trials(states=(TrialState.RUNNING,))
            # A trial has its worker's name first, and its point a moment later.
            begun = [trial for trial in trials if WORKER in trial.user_attrs and trial.params]
            if len(begun) == count:
                return begun
            time.sleep(0.02)
        raise AssertionError("the workers do not begin")


def worker_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs[WORKER].rpartition(":")[2])


def test_two_workers_share_a_study_and_end_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=5, workers=2)
    waiting = toy.flag("wait")
    pids: set[int] = set()

    def observe() -> None:
        pids.update(worker_of(trial) for trial in toy.running(2))
        waiting.unlink()

    thread = threading.Thread(target=observe)
    thread.start()
    toy.run()
    thread.join()
    trials = toy.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5  # and no sixth
    assert sorted(toy.reported) == [0, 1, 2, 3, 4]
    assert len(pids) == 2
    assert len({trial.params[searches.RATE] for trial in trials}) == 5
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_trial_of_a_killed_worker_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=3, workers=2)
    waiting = toy.flag("wait")
    killed: list[FrozenTrial] = []

    def kill() -> None:
        killed.append(toy.running(2)[0])
        os.kill(worker_of(killed[0]), signal.SIGKILL)
        while toy.study.get_trials()[killed[0].number].state == TrialState.RUNNING:
            time.sleep(0.02)
        waiting.unlink()

    thread = threading.Thread(target=kill)
    thread.start()
    toy.run()
    thread.join()
    assert len(finished(toy.study)) == 3
    assert toy.study.get_trials()[killed[0].number].state == TrialState.FAIL
    again = [trial for trial in finished(toy.study) if trial.params == killed[0].params]
    assert len(again) == 1
    (line,) = [line for line in toy.lines if "SIGKILL" in line]
    assert f"in trial {killed[0].number}, which is tried again" in line


def test_ctrl_c_ends_the_workers_and_the_search_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=2, workers=2)
    waiting = toy.flag("wait")
    # In a process of its own: whatever another test has loaded here may handle the signal.
    process = subprocess.Popen([sys.executable, str(SEARCH), str(tmp_path)], start_new_session=True)
    stopped = toy.running(2)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    for trial in stopped:
        with pytest.raises(ProcessLookupError):
            os.kill(worker_of(trial), 0)
    assert toy.study.get_trials(states=(TrialState.RUNNING,)) == []
    waiting.unlink()
    toy.run()
    points = {trial.params[searches.RATE] for trial in stopped}
    assert {trial.params[searches.RATE] for trial in finished(toy.study)} == points


def test_trials_of_a_search_that_was_killed_whole_are_queued_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=2)
    trial = toy.study.ask()
    trial.suggest_float(searches.RATE, 1e-3, 1e-2, log=True)
    assert recover(toy.study, tmp_path, None) == 1
    assert recover(toy.study, tmp_path, None) == 0
    toy.run()
    assert trial.params in [each.params for each in finished(toy.study)]
    assert len(finished(toy.study)) == 2


@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
def test_running_trials_of_another_machine_are_left_alone(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = open_study(searches.job_of(tmp_path), tmp_path, storage)
    study.ask().set_user_attr(WORKER, "elsewhere:/out:17")
    study.ask().set_user_attr(WORKER, f"{workers.owner_prefix(tmp_path)}17")
    assert recover(study, tmp_path, storage) == 1
    assert study.get_trials()[0].state == TrialState.RUNNING


def test_workers_that_crash_one_after_the_other_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=2)
    toy.flag("crash", "1")
    with pytest.raises(InputError, match="workers ended one after the other") as caught:
        toy.run()
    assert "logs" in caught.value.hint


def test_trials_that_fail_one_after_the_other_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=50)
    toy.flag("fail", "it diverged")
    with pytest.raises(InputError, match="no trial succeeds; trial 0: it diverged"):
        toy.run()
    assert len(finished(toy.study)) < 10


def test_an_error_of_a_worker_is_that_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=2)
    toy.flag("crash", "5")
    start = Workers._start

    def started(self: Workers) -> None:
        start(self)
        file = failure_file(tmp_path, self._alive[-1].number)
        file.write_bytes(pretty_json(WorkerFailure(message="no board", hint="look", exit_code=5)))

    monkeypatch.setattr(Workers, "_start", started)
    with pytest.raises(WorkerError, match="no board") as caught:
        toy.run()
    assert (caught.value.exit_code, caught.value.hint) == (5, "look")


def test_a_finished_search_starts_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Toy(tmp_path, monkeypatch, trials=1)
    trial = toy.study.ask()
    trial.set_user_attr(FAILURE, "of old")
    toy.study.tell(trial, [0.5, 1.0])
    toy.run()
    assert not list((tmp_path / "logs").iterdir())
    assert toy.reported == []


def test_a_worker_gets_the_database_and_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    url = "postgresql://user:secret@host/name"
    assert workers._environment(url, 3)["CUDA_VISIBLE_DEVICES"] == "5"
    assert workers._environment(url, 0)[STORAGE] == url
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert workers._environment(None, 1)["CUDA_VISIBLE_DEVICES"] == ""
