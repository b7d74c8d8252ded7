"""LiteRT's `benchmark_model` on a phone: what it prints, and the way there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from adb.phone import Phone
from edgekd.bench.devices.adb import AdbTransport
from edgekd.bench.devices.benchmark_model import (
    BenchmarkModelSettings,
    measure_by_benchmark_model,
)
from edgekd.bench.devices.benchmark_report import Delegation, RunStatistics, read_report
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.timing import find_preset
from edgekd.errors import ArtefactError, DeviceUnreachableError, InputError

RECORDINGS = Path(__file__).parent / "recordings"


def recorded(name: str) -> str:
    return (RECORDINGS / f"{name}.txt").read_text()


def test_tensorflow_lite_on_the_cpu() -> None:
    report = read_report(recorded("tflite-cpu"))
    assert report.inference == RunStatistics(
        n=24,
        first_ms=42.142,
        mean_ms=pytest.approx(42.4354),
        std_ms=0.147,
        min_ms=42.142,
        max_ms=42.763,
        p5_ms=42.232,
        p50_ms=42.405,
        p95_ms=42.729,
    )
    assert report.warmup is not None
    assert (report.warmup.n, report.warmup.p95_ms) == (50, 49.447)
    assert (report.load_ms, report.first_ms) == (143.669, 72.635)
    assert report.memory is not None
    assert report.memory.load_bytes == 23.5625 * 2**20
    assert report.memory.overall_bytes == pytest.approx(27.5859 * 2**20, abs=1)
    assert report.memory.peak_bytes is None
    assert report.delegations == [
        Delegation(delegate="TfLiteXNNPackDelegate", nodes=2136, of=2168, partitions=65)
    ]


def test_litert_2_keeps_the_digits_of_the_series_and_not_the_profile() -> None:
    report = read_report(recorded("litert-cpu"))
    runs = report.inference
    assert (runs.n, runs.p50_ms, runs.p95_ms) == (2112, 0.462, 0.478)
    assert runs.mean_ms == pytest.approx(0.464545)
    assert report.warmup is not None
    assert report.warmup.n == 1055
    assert (report.load_ms, report.first_ms) == (4.48, 1.03)
    assert report.memory is not None
    assert report.memory.overall_bytes == pytest.approx(11.51 * 2**20, abs=1)


def test_percentiles_that_are_not_told_stay_unknown() -> None:
    old = read_report(recorded("tflite-2019"))
    assert (old.inference.n, old.inference.mean_ms, old.inference.std_ms) == (50, 137.722, 0.896)
    assert (old.inference.p50_ms, old.inference.p95_ms, old.memory) == (None, None, None)
    assert (old.load_ms, old.first_ms) == (4.452, 146.161)
    new = read_report(recorded("litert-npu"))
    assert (new.inference.n, new.inference.mean_ms, new.inference.max_ms) == (2166, 0.46, 0.74)
    assert new.inference.p50_ms is None
    assert (new.load_ms, new.first_ms) == (586.76, 4.44)


def test_one_run_is_its_own_median() -> None:
    text = recorded("tflite-2019").replace("count=1 curr=146161", "count=3 curr=146161(all same)")
    warmup = read_report(text).warmup
    assert warmup is not None
    assert (warmup.n, warmup.p50_ms, warmup.max_ms, warmup.std_ms) == (3, 146.161, 146.161, 0)
    assert warmup.p95_ms is None


def test_logcat_and_powers_of_ten_are_read() -> None:
    lines = recorded("tflite-cpu").replace("avg=42435.4", "avg=4.24354e+04").splitlines()
    logged = "\n".join(f"07-08 15:33:56.256 I/tflite  ( 5395): {line[6:]}" for line in lines)
    assert read_report(logged).inference.mean_ms == pytest.approx(42.4354)


@pytest.mark.parametrize("text", ["", "INFO: STARTING!", recorded("tflite-refused")])
def test_no_measured_run_is_no_report(text: str) -> None:
    with pytest.raises(WorkerError, match="nothing of any run"):
        read_report(text)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.tflite"
    file.write_bytes(b"TFL3" * 1000)
    return file


def printing(phone: Phone, name: str, code: int = 0) -> Path:
    """A program on the phone that notes its arguments and prints a recording."""
    script = (
        f'printf "%s\\n" "$@" > {phone.home}/arguments; sha256sum "${{1#--graph=}}" '
        f">> {phone.home}/arguments; cat {RECORDINGS / name}.txt >&2; exit {code}"
    )
    return phone.program("benchmark_model", script)


def test_the_preset_and_the_model_reach_the_program(
    phone: Phone, transport: AdbTransport, model: Path
) -> None:
    program = printing(phone, "tflite-cpu")
    folder = f"{phone.home_there}/edgekd"
    settings = BenchmarkModelSettings(str(program), folder, options=("--use_xnnpack=true",))
    report = measure_by_benchmark_model(transport, settings, model, 4, find_preset("quick"))
    graph, *options, hashed = (phone.home / "arguments").read_text().splitlines()
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert graph == f"--graph={folder}/store/{digest}"
    assert hashed.startswith(digest)
    assert options == [
        "--num_threads=4",
        "--num_runs=128",
        "--min_secs=10",
        "--max_secs=240",
        "--warmup_runs=10",
        "--warmup_min_secs=1",
        "--use_xnnpack=true",
    ]
    assert report.inference.p50_ms == 42.405
    assert report.command.startswith(f"{program} --graph=")
    assert report.flags == [Flag("too-few-samples", "model, 24 of 128 runs")]
    assert report.notes == [
        "no-samples: benchmark_model tells mean, median, 5 % and 95 % alone",
        "random-input: benchmark_model runs on random pixels, not on photos",
        "model-alone: benchmark_model neither decodes nor decides",
        "partitions: TfLiteXNNPackDelegate took 2136 of 2168 nodes in 65 pieces",
    ]


def test_a_program_of_this_machine_is_brought_there(
    phone: Phone, transport: AdbTransport, model: Path, tmp_path: Path
) -> None:
    program = tmp_path / "benchmark_model"
    program.write_text(f"#!/bin/sh\ncat {RECORDINGS / 'litert-cpu'}.txt\n")  # may not be run here
    folder = f"{phone.home_there}/edgekd"
    settings = BenchmarkModelSettings(str(program), folder, push=True)
    report = measure_by_benchmark_model(transport, settings, model, 1, find_preset("quick"))
    assert report.inference.n == 2112
    missing = BenchmarkModelSettings(str(tmp_path / "none"), folder, push=True)
    with pytest.raises(InputError, match="there is no"):
        measure_by_benchmark_model(transport, missing, model, 1, find_preset("quick"))


@pytest.mark.parametrize(("name", "obtained"), [("tflite-gpu", True), ("tflite-cpu", False)])
def test_an_accelerator_that_was_not_used_is_flagged(
    phone: Phone, transport: AdbTransport, model: Path, name: str, obtained: bool
) -> None:
    program = printing(phone, name)
    settings = BenchmarkModelSettings(str(program), f"{phone.home_there}/edgekd", accelerator="gpu")
    report = measure_by_benchmark_model(transport, settings, model, 1, find_preset("smoke"))
    assert "--use_gpu=true" in (phone.home / "arguments").read_text()
    assert any(str(flag).startswith("accelerator: gpu") for flag in report.flags) is not obtained


def test_options_that_a_version_does_not_know_are_flagged(
    phone: Phone, transport: AdbTransport, model: Path
) -> None:
    program = phone.program(
        "benchmark_model",
        f"echo 'WARN: Unconsumed cmdline flags: --use_npu=true'; cat {RECORDINGS}/tflite-cpu.txt",
    )
    settings = BenchmarkModelSettings(str(program), f"{phone.home_there}/edgekd", accelerator="npu")
    report = measure_by_benchmark_model(transport, settings, model, 1, find_preset("smoke"))
    assert report.unknown_options == ["--use_npu=true"]
    assert Flag("unknown-options", "--use_npu=true") in report.flags
    assert any(str(flag).startswith("accelerator: npu") for flag in report.flags)


def test_what_the_program_refuses_is_told_with_its_cause(
    phone: Phone, transport: AdbTransport, model: Path
) -> None:
    settings = BenchmarkModelSettings(
        str(printing(phone, "tflite-refused", code=1)), f"{phone.home_there}/edgekd"
    )
    with pytest.raises(ArtefactError, match=r"Node number 57 \(BATCH_MATMUL\) failed to prepare"):
        measure_by_benchmark_model(transport, settings, model, 1, find_preset("smoke"))


def test_a_program_that_is_missing_crashes_or_is_for_another_processor(
    phone: Phone, transport: AdbTransport, model: Path
) -> None:
    def measure(program: Path) -> None:
        settings = BenchmarkModelSettings(str(program), f"{phone.home_there}/edgekd")
        measure_by_benchmark_model(transport, settings, model, 1, find_preset("smoke"))

    with pytest.raises(InputError, match="has no program"):
        measure(phone.bin / "none")
    with pytest.raises(WorkerError, match="died of signal 11 after: INFO: STARTING!"):
        measure(phone.program("crashes", "echo INFO: STARTING!; kill -SEGV $$"))
    foreign = phone.bin / "foreign"
    foreign.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    foreign.chmod(0o755)
    with pytest.raises(InputError, match="cannot be run on adb"):
        measure(foreign)


def test_a_link_lost_while_it_measures(phone: Phone, transport: AdbTransport, model: Path) -> None:
    program = phone.program("benchmark_model", f"touch {phone.home}/begun; exec sleep 20")
    settings = BenchmarkModelSettings(str(program), f"{phone.home_there}/edgekd")
    phone.cut_when(phone.home / "begun")
    with pytest.raises(DeviceUnreachableError):
        measure_by_benchmark_model(transport, settings, model, 1, find_preset("smoke"))
    assert transport.run("echo again").stdout == b"again\n"
