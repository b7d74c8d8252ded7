"""The harness end to end, with real processes, a real checkpoint and a real bundle."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec

import pytest
from rich.console import Console

from edgekd.bench.devices import local
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure import worker
from edgekd.bench.measure.flags import Flag
from edgekd.bench.result.file import read_result, write_result
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


def test_speed_and_memory(here):
    for row in here.rows[:2]:
        assert row.latency_ms.model.n >= 16
        assert row.latency_ms.end_to_end.p50 >= row.latency_ms.model.p50
        assert row.latency_ms.load_ms > 0
        assert row.latency_ms.first_ms > 0
        assert row.runtime["threads"] == 1
        assert any(str(flag).startswith("smoke:") for flag in row.flags)
    memory = here.rows[1].memory
    assert memory.rss_peak_delta_bytes > 1_000_000
    assert "RSS" in memory.definition or "maxrss" in memory.definition


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


def test_result_survives_its_file(here, tmp_path):
    write_result(tmp_path / "result.json", here)
    assert read_result(tmp_path / "result.json") == here


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


def test_two_rows_of_one_name_are_told_apart(data, make_bundle):
    bundle = make_bundle("rpi")
    result = run(BenchRequest(device="rpi", data=data, bundles=[bundle, bundle], limit=6))
    assert [row.name for row in result.rows] == ["rpi fp32 (1)", "rpi fp32 (2)"]
    assert result.data.n == 6


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


def test_nonsense_is_refused_before_anything_is_loaded(data, make_bundle):
    good = BenchRequest(device="cpu", data=data, bundles=[make_bundle()])
    for change in (
        {"device": "toaster"},
        {"preset": "sloppy"},
        {"bundles": []},
        {"threads": 0},
        {"limit": -1},
        {"data": replace(data, images=[])},
    ):
        with pytest.raises(InputError) as caught:
            run(replace(good, **change))
        assert caught.value.hint


def test_a_label_that_is_no_class_is_refused(data, make_bundle):
    wrong = replace(data, images=[(data.images[0][0], "naevus")])
    with pytest.raises(InputError, match="naevus"):
        run(BenchRequest(device="rpi", data=wrong, bundles=[make_bundle("rpi")]))


def test_decisions_and_flips_are_counted(data, make_checkpoint, make_bundle):
    student = make_checkpoint("student")
    bundle = make_bundle()
    result = run(BenchRequest(device="rpi", data=data, bundles=[bundle], student=student))
    row = by_role(result, "artefact", "cpu")
    assert (row.decisions.answered.value, row.decisions.retaken.value) == (1.0, 0.0)
    assert row.flipped > 0  # the student is untrained
    assert len(row.flips) == min(row.flipped, 24)
    first = row.flips[0]
    assert max(first.student, key=first.student.get) != max(first.artefact, key=first.artefact.get)
    assert first.image.endswith(".jpg")
    assert result.missing == []


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


def test_limit_is_even_over_the_classes(data):
    limited = data.limited(9)
    assert Counter(limited.labels) == {"mel": 3, "nv": 3, "bkl": 3}
    assert limited == data.limited(9)
    assert data.limited(None) is data
    assert data.limited(99) is data


def test_nothing_heavy_is_imported_with_the_harness():
    code = (
        "import sys, edgekd.bench.run.harness, edgekd.bench.report, edgekd.bench.measure.worker; "
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'jinja2', 'onnxruntime'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_threads_are_swept(data, make_bundle):
    request = BenchRequest(
        device="cpu", data=data, bundles=[make_bundle()], preset="smoke", threads=1, sweep=(2,)
    )
    (row,) = run(request).rows
    assert [point.threads for point in row.sweep] == [2]
    assert row.sweep[0].p50 > 0
    assert row.runtime["threads"] == 1
