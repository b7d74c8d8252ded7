"""Which rows are timed on a device."""

from __future__ import annotations

import pytest
from rich.console import Console

from edgekd.bench.devices import local
from edgekd.bench.measure import worker
from edgekd.bench.measure.flags import Flag
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


def by_role(result, role, target=None):
    return next(row for row in result.rows if row.role == role and row.target == target)


def test_another_targets_bundle_gets_no_host_number(here):
    row = by_role(here, "artefact", "rpi")
    assert row.latency_ms is None
    assert row.memory is None
    assert row.valid
    assert Flag("latency-not-measured", "no rpi device is configured") in row.flags
    assert any(str(flag).startswith("accuracy-from-host: onnxruntime ") for flag in row.flags)
    assert row.metrics.balanced_accuracy.value == 1.0
    assert row.vs_teacher.speedup_p50 is None
    assert row.vs_teacher.agreement is not None


def test_a_device_that_is_not_configured_gets_no_number_at_all(data, teacher, make_bundle):
    result = run(
        BenchRequest(device="rpi", data=data, bundles=[make_bundle("rpi")], teacher=teacher)
    )
    assert result.device.kind == "not-configured"
    assert result.device.facts == {}
    assert result.host["cores"] >= 1
    for row in result.rows:
        assert row.latency_ms is None
        assert row.memory is None
        assert Flag("latency-not-measured", "no rpi device is configured") in row.flags
        assert any(str(flag).startswith("accuracy-from-host: ") for flag in row.flags)
        assert row.metrics is not None
