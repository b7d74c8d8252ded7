"""The harness end to end, with real processes, a real checkpoint and a real bundle."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rich.console import Console

from edgekd.bench.devices import local
from edgekd.bench.measure import worker
from edgekd.bench.result.file import read_result, write_result
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


def test_rows_say_what_they_are(here):
    assert [row.name for row in here.rows] == ["teacher test_resnet", "cpu fp32", "rpi fp32"]
    teacher, artefact = here.rows[0], here.rows[1]
    assert teacher.backend == "pytorch"
    assert teacher.params == 400_000
    assert teacher.size_bytes > 100_000
    assert len(teacher.sha256) == 64
    assert artefact.size_bytes < 1000
    assert artefact.precision == "fp32"
    assert "onnxruntime" in artefact.runtime["engine"]
    assert here.data.n == 36
    assert len(here.data.sha256) == 64
    assert here.device.kind == "local"
    assert here.device.facts["cores"] >= 1


def test_accuracy_is_the_bundles_own(here):
    metrics = by_role(here, "artefact", "cpu").metrics
    assert metrics.balanced_accuracy.value == 1.0
    assert metrics.per_class["mel"].n == 12
    assert metrics.ece.value > 0


def test_comparison_with_the_teacher(here):
    row = by_role(here, "artefact", "cpu")
    versus = row.vs_teacher
    teacher = here.rows[0]
    assert teacher.vs_teacher is None
    assert versus.speedup_p50 == pytest.approx(
        teacher.latency_ms.model.p50 / row.latency_ms.model.p50
    )
    assert versus.size_ratio == teacher.size_bytes / row.size_bytes
    assert versus.params_ratio == 400_000 / 9
    assert versus.flips == round(36 * (1 - versus.agreement))
    assert versus.balanced_accuracy_delta.value == pytest.approx(
        row.metrics.balanced_accuracy.value - teacher.metrics.balanced_accuracy.value
    )


def test_result_survives_its_file(here, tmp_path):
    write_result(tmp_path / "result.json", here)
    assert read_result(tmp_path / "result.json") == here


def test_two_rows_of_one_name_are_told_apart(data, make_bundle):
    bundle = make_bundle("rpi")
    result = run(BenchRequest(device="rpi", data=data, bundles=[bundle, bundle], limit=6))
    assert [row.name for row in result.rows] == ["rpi fp32 (1)", "rpi fp32 (2)"]
    assert result.data.n == 6


def test_nothing_heavy_is_imported_with_the_harness():
    code = (
        "import sys, edgekd.bench.run.harness, edgekd.bench.report, edgekd.bench.measure.worker; "
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'jinja2', 'onnxruntime'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
