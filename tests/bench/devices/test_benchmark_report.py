"""Outputs of every version of `benchmark_model`, as they were recorded."""

from __future__ import annotations

from pathlib import Path

import adb
import pytest

from edgekd.bench.devices.benchmark_report import Delegation, RunStatistics, read_report
from edgekd.bench.devices.launch import WorkerError

RECORDINGS = Path(adb.__file__).parent / "recordings"


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
