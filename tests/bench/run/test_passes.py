"""The passes of one row."""

from __future__ import annotations

import pytest
from rich.console import Console

from edgekd.bench.devices import local
from edgekd.bench.measure import worker
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest

QUIET = Console(quiet=True)


def run(request: BenchRequest):
    return run_benchmark(request, console=QUIET)


@pytest.fixture(scope="module")
def here(data, teacher, make_bundle):
    """One run on this machine: teacher, a bundle for it, a bundle for a Pi.

    PyTorch takes long to import, so its jobs are done in this process; test_worker does them in
    processes of their own.
    """
    real = local.run_job
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "run_job", lambda job: (worker.do if job.checkpoint else real)(job))
        return _run_here(data, teacher, make_bundle)


def _run_here(data, teacher, make_bundle):
    request = BenchRequest(
        device="cpu",
        data=data,
        bundles=[make_bundle(), make_bundle("rpi")],
        teacher=teacher,
        preset="smoke",
        threads=1,
        command="bench",
    )
    return run(request)


def test_speed_and_memory(here):
    for row in here.rows[:2]:
        assert row.latency_ms.model.n >= 16
        assert row.latency_ms.model.p50 > 0
        assert row.latency_ms.end_to_end.p50 > 0
        assert row.latency_ms.load_ms > 0
        assert row.latency_ms.first_ms > 0
        assert row.runtime["threads"] == 1
        assert any(str(flag).startswith("smoke:") for flag in row.flags)
    memory = here.rows[1].memory
    assert memory.rss_peak_delta_bytes > 1_000_000
    assert "RSS" in memory.definition or "maxrss" in memory.definition


def test_threads_are_swept(data, make_bundle):
    request = BenchRequest(
        device="cpu", data=data, bundles=[make_bundle()], preset="smoke", threads=1, sweep=(2,)
    )
    (row,) = run(request).rows
    assert [point.threads for point in row.sweep] == [2]
    assert row.sweep[0].p50 > 0
    assert row.runtime["threads"] == 1
