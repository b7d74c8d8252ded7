"""Latency of a trial, by the benchmark itself."""

from __future__ import annotations

from pathlib import Path

import msgspec
import optuna
import pytest
import searches

from edgekd.bench.result import Result
from edgekd.bench.run.request import BenchRequest
from edgekd.errors import DeviceUnreachableError, InputError
from edgekd.tune import latency
from edgekd.tune.latency import check_timing, time_student
from edgekd.tune.trial import Attribute, TrialRunner


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "PRESET", "smoke")


@pytest.mark.slow
def test_a_trial_is_timed_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[BenchRequest] = []
    results: list[Result] = []
    benchmark = latency.run_benchmark

    def recorded(request: BenchRequest, **options: object) -> Result:
        requests.append(request)
        results.append(benchmark(request, **options))
        return results[-1]

    monkeypatch.setattr(latency, "run_benchmark", recorded)
    job = searches.job_of(tmp_path, cost="latency")
    study = optuna.create_study(directions=job.directions)
    trial = study.ask()
    _, p50 = TrialRunner(job, tmp_path, 1).run(trial, {})
    assert p50 == results[0].rows[0].latency_ms.model.p50 == trial.user_attrs[Attribute.P50]
    assert trial.user_attrs[Attribute.FLAGGED] is True  # smoke measures nothing
    assert requests[0].data.split == "validation"
    assert requests[0].student is not None
    run = tmp_path / trial.user_attrs[Attribute.RUN]

    def silent(request: BenchRequest, **options: object) -> Result:
        (row,) = results[0].rows
        rows = [msgspec.structs.replace(row, latency_ms=None)]
        return msgspec.structs.replace(results[0], rows=rows)

    monkeypatch.setattr(latency, "run_benchmark", silent)
    with pytest.raises(DeviceUnreachableError, match="no time"):
        time_student(run, None, "local", tmp_path)


def test_times_beside_trainings_are_refused() -> None:
    check_timing("local", workers=1, lowered=None)
    with pytest.raises(InputError, match="beside the training"):
        check_timing("local", workers=2, lowered=None)


def test_a_board_times_lowered_files_alone() -> None:
    check_timing("rpi", workers=2, lowered="rpi")
    with pytest.raises(InputError, match="runs lowered files"):
        check_timing("rpi", workers=1, lowered=None)
    with pytest.raises(InputError, match="no device"):
        check_timing("nosuch", workers=1, lowered="rpi")
