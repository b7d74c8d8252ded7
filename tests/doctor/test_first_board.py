"""targets/jetson/first_board.py: no line passes in silence where there is no board."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tiny_bundles import write_tiny_bundle

SCRIPT = Path(__file__).resolve().parents[2] / "targets/jetson/first_board.py"
PASSED = (
    "Latency: min = 0.55 ms, max = 0.61 ms, mean = 0.57 ms, median = {latency} ms, "
    "percentile(90%) = 0.59 ms\\n[I] GPU Compute Time: min = 0.4 ms, mean = 0.42 ms, "
    "median = {compute} ms, percentile(90%) = 0.43 ms"
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("first_board", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["first_board"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle whose file ONNX Runtime runs."""
    return write_tiny_bundle(tmp_path / "tiny")


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed here")
def test_without_a_board_nothing_of_a_board_is_ok(bundle: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(bundle)],
        capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert result["schema_version"] == 1
    assert "python" in result["machine"]
    lines = {line["name"]: line for line in result["lines"]}
    assert result["counts"] == counted(result["lines"])
    assert all(line["why"] for line in lines.values() if line["status"] != "OK")
    gpu = lines["TensorRT, cuda-python and a GPU"]
    assert gpu["status"] == "FAIL"
    assert "TensorRT is not installed" in gpu["why"]
    assert Path(result["logs"]).is_dir()
    assert lines["tiny: ONNX Runtime fallback"]["status"] == "OK"
    assert lines["tiny: ONNX Runtime fallback"]["facts"]["passed"]
    of_the_engine = {name for name in lines if name.startswith("tiny: ")}
    of_the_engine -= {"tiny: ONNX Runtime fallback"}
    of_the_engine |= {"build a one-op engine", "run a one-op engine"}
    assert len(of_the_engine) == 10
    assert {lines[name]["status"] for name in of_the_engine} == {"SKIPPED"}


def counted(lines: list[dict[str, Any]]) -> dict[str, int]:
    found = [line["status"] for line in lines]
    return {status: found.count(status) for status in ("OK", "FAIL", "SKIPPED")}


def test_times_and_memory_of_a_bundle(script: ModuleType, bundle: Path) -> None:
    facts = script.measure_apart(bundle)
    for name in ("model_ms", "end_to_end_ms"):
        assert 0 < facts[name]["p50"] <= facts[name]["p90"] <= facts[name]["p99"]
        assert facts[name]["n"] == len(facts[name]["raw"])
    assert facts["engine"]["engine"].startswith("onnxruntime")
    assert facts["rss_peak_bytes"] > 10 << 20


def test_health_is_the_images_own(script: ModuleType, bundle: Path, tmp_path: Path) -> None:
    assert "self-test vectors within" in script.check_health(bundle, tmp_path)["said"]
    (bundle / "model.onnx").write_bytes(b"damaged")
    (tmp_path / "again").mkdir()
    with pytest.raises(script.FailedError, match="exit code 6"):
        script.check_health(bundle, tmp_path / "again")


def test_a_line_says_why_it_is_not_ok(script: ModuleType) -> None:
    protocol = script.Protocol()

    def fall() -> dict[str, Any]:
        raise ZeroDivisionError("by nothing")

    assert protocol.go("first", lambda: {"a": 1})
    assert not protocol.go("second", fall)
    assert not protocol.go("third", dict, after="second")
    told = [(line.status, line.why) for line in protocol.lines]
    assert told == [
        ("OK", ""),
        ("FAIL", "ZeroDivisionError: by nothing"),
        ("SKIPPED", "it takes what is not there: second"),
    ]


@pytest.mark.parametrize("newer", [False, True])
def test_trtexec_is_asked_both_ways(
    script: ModuleType, newer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before TensorRT 11 a graph is asked for, from then on it is taken unless refused."""
    switch = "--noCudaGraph" if newer else "--useCudaGraph"
    quick = PASSED.format(latency=0.5, compute=0.4)
    slow = PASSED.format(latency=0.7, compute=0.6)
    with_switch, without = (slow, quick) if newer else (quick, slow)
    program = tmp_path / "trtexec"
    program.write_text(
        f"#!/bin/sh\ncase \"$*\" in\n--help) echo '{switch if newer else 'none'}' ;;\n"
        f"*{switch}*) printf '[I] {with_switch}\\n' ;;\n*) printf '[I] {without}\\n' ;;\nesac\n"
    )
    program.write_text(program.read_text().replace("%)", "%%)"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert script.time_by_trtexec(tmp_path) == {
        "graph": {"Latency": 0.5, "GPU Compute Time": 0.4},
        "plain": {"Latency": 0.7, "GPU Compute Time": 0.6},
    }


def test_trtexec_that_fails_is_a_failure(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "trtexec"
    program.write_text("#!/bin/sh\necho 'Cuda failure: 35'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(script.FailedError, match="Cuda failure: 35"):
        script.time_by_trtexec(tmp_path)
