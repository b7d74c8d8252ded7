"""`benchmarks/run.py` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgekd.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = str(REPOSITORY / "benchmarks" / "run.py")
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "device",
    [
        "rpi",
        pytest.param("android", marks=pytest.mark.slow),
        pytest.param("jetson", marks=pytest.mark.slow),
    ],
)
def test_a_device_that_is_not_configured_has_no_latency(
    bundles: Path, small_run: Path, tmp_path: Path, device: str
) -> None:
    out = tmp_path / "out.json"
    arguments = ["--run", str(small_run), "--limit", "40", "--json", str(out)]
    assert main(["bench", "--device", device, *arguments]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert {row["role"] for row in rows} == {"teacher", "student", "artefact"}
    for row in rows:
        assert row["latency_ms"] is None
        assert row["memory"] is None
        details = {flag["code"]: flag["detail"] for flag in row["flags"]}
        assert details["latency-not-measured"] == f"no {device} device is configured"
        assert row["metrics"]["balanced_accuracy"]["value"] > 0


@pytest.mark.slow
def test_this_machine_is_measured_as_cpu(bundles: Path, small_run: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    arguments = ["--run", str(small_run), "--limit", "40", "--preset", "smoke"]
    bundle = ["--bundle", str(bundles / "cpu-int8")]
    done = run_bench(
        "--device", "cpu", *arguments, *bundle, "--json", str(out), "--html", str(page)
    )
    assert done.returncode == 0, done.stderr
    (artefact,) = [row for row in json.loads(out.read_text())["rows"] if row["role"] == "artefact"]
    assert artefact["latency_ms"]["model"]["p50"] > 0
    assert artefact["latency_ms"]["model"]["n"] >= 16
    assert artefact["memory"]["rss_peak_delta_bytes"] > 0
    assert artefact["vs_teacher"]["speedup_p50"] > 0
    assert "<svg" in page.read_text()
