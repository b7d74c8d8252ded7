"""Which device answers, and what becomes of a bundle that cannot."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from rich.console import Console

from edgekd.bench.devices import local
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure import worker
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.cli.bench import _report_missing
from edgekd.errors import ArtefactError, InputError, MissingDependencyError

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


def test_a_bundle_that_its_device_must_finish_answers_by_onnx(data, make_bundle):
    bundle = make_bundle("jetson", completion="finish-on-device", backend="tensorrt")
    (row,) = run(BenchRequest(device="jetson", data=data, bundles=[bundle])).rows
    assert row.backend == "tensorrt"
    assert "onnxruntime" in row.runtime["engine"]
    assert row.metrics.balanced_accuracy.value == 1.0
    assert row.vs_teacher is None


def test_a_missing_engine_is_a_flag_beside_others_and_an_error_alone(data, make_bundle):
    if find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed here; the test needs an engine that is not")
    bundles = [make_bundle("jetson", backend="tensorrt"), make_bundle("rpi")]
    first, second = run(BenchRequest(device="jetson", data=data, bundles=bundles)).rows
    assert first.metrics is None
    assert second.metrics is not None
    assert any(str(flag).startswith("accuracy-not-measured: TensorRT") for flag in first.flags)
    with pytest.raises(MissingDependencyError):
        run(BenchRequest(device="jetson", data=data, bundles=bundles[:1]))


def test_a_damaged_bundle_is_refused(data, make_bundle):
    bundle = make_bundle("rpi")
    (bundle / "model.onnx").write_bytes(b"x")
    with pytest.raises(ArtefactError):
        run(BenchRequest(device="rpi", data=data, bundles=[bundle]))


def test_another_class_list_is_refused(data, make_bundle, make_checkpoint):
    bundle = make_bundle("rpi", classes=("nv", "mel", "bkl"))
    with pytest.raises(InputError, match="classes"):
        run(BenchRequest(device="rpi", data=data, bundles=[bundle]))
    other = make_checkpoint("student", ("a", "b"))
    with pytest.raises(InputError, match="classes"):
        run(BenchRequest(device="rpi", data=data, student=other))


@pytest.mark.parametrize(
    "said",
    [
        "the kernel was interrupted by the driver",
        "npu does not answer: busy",
        "it lacks something: a word",
        "the GPU is emulated",
    ],
)
@pytest.mark.parametrize("kind", ["accuracy", "latency"])
def test_words_of_an_engine_are_not_taken_for_the_harnesses_own(
    said, kind, data, make_bundle, tmp_path, monkeypatch
):
    """Whatever an engine says when it fails, the run has come to its end and says so."""
    real = local.run_job

    def failing(job):
        if job.kind == kind:
            raise WorkerError(said)
        return real(job)

    monkeypatch.setattr(local, "run_job", failing)
    request = BenchRequest(device="cpu", data=data, bundles=[make_bundle()], preset="smoke")
    result = run(request)
    assert result.stop is None
    _report_missing([result])  # raises nothing, neither Ctrl-C nor a lost device
    assert any(said in str(each) for each in result.missing)
    assert not any(str(flag).startswith("emulated") for row in result.rows for flag in row.flags)
