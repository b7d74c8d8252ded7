"""LiteRT's `benchmark_model` on a phone: what it prints, and the way there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import adb
import pytest
from adb.phone import Phone

from edgekd.bench.devices.adb import AdbTransport
from edgekd.bench.devices.benchmark_model import (
    BenchmarkModelSettings,
    measure_by_benchmark_model,
)
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.timing import find_preset
from edgekd.errors import ArtefactError, DeviceUnreachableError, InputError

RECORDINGS = Path(adb.__file__).parent / "recordings"


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
        Flag("no-samples", "benchmark_model reports mean, median, 5 % and 95 % alone"),
        Flag("random-input", "benchmark_model runs on random pixels, not on photos"),
        Flag("model-alone", "benchmark_model neither decodes nor decides"),
        Flag("partitions", "TfLiteXNNPackDelegate took 2136 of 2168 nodes in 65 pieces"),
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
