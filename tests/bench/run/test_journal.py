"""An interrupted run is resumed, and failures are not kept."""

from __future__ import annotations

import pytest
from rich.console import Console

from edgekd.bench.devices import local
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.cli.bench import _report_missing

QUIET = Console(quiet=True)


def run(request: BenchRequest):
    return run_benchmark(request, console=QUIET)


def test_interrupted_run_goes_on_from_there(data, make_bundle, tmp_path, monkeypatch):
    out = tmp_path / "result.json"
    request = BenchRequest(
        device="cpu", data=data, bundles=[make_bundle()], preset="smoke", threads=1, out=out
    )
    real, asked = local.run_job, []

    def interrupted(job):
        asked.append(job.kind)
        if job.kind == "memory":
            raise KeyboardInterrupt
        return real(job)

    monkeypatch.setattr(local, "run_job", interrupted)
    result = run(request)
    assert asked == ["accuracy", "latency", "memory"]
    assert list(map(str, result.missing)) == [
        "cpu fp32: latency-not-measured: the run was interrupted"
    ]
    assert result.stop is not None
    assert result.stop.kind == "interrupted"
    with pytest.raises(KeyboardInterrupt):
        _report_missing([result])
    assert result.rows[0].metrics is not None
    assert result.rows[0].latency_ms is None
    asked.clear()
    monkeypatch.setattr(local, "run_job", lambda job: (asked.append(job.kind), real(job))[1])
    (row,) = run(request).rows
    assert asked == ["memory"]
    assert row.memory is not None
    assert not list(tmp_path.iterdir())  # complete: nothing is kept beside the result
    run(request)
    assert asked == ["memory", "accuracy", "latency", "memory"]


def test_what_fails_is_missing_and_not_kept(data, make_bundle, tmp_path, monkeypatch):
    request = BenchRequest(
        device="cpu", data=data, bundles=[make_bundle()], preset="smoke", out=tmp_path / "r.json"
    )
    real = local.run_job

    def dying(job):
        if job.kind == "latency":
            raise WorkerError("the measuring process ended with signal 9")
        return real(job)

    monkeypatch.setattr(local, "run_job", dying)
    result = run(request)
    (row,) = result.rows
    assert row.latency_ms is None
    assert row.memory is not None
    assert not row.valid
    assert list(map(str, result.missing)) == [
        "cpu fp32: latency-not-measured: the measuring process ended with signal 9"
    ]
    monkeypatch.setattr(local, "run_job", real)
    again = run(request)
    assert again.missing == []
    assert again.rows[0].latency_ms is not None
