"""`benchmarks/peers/engines.py`: each engine's own tool runs and is read, on the same settings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"
OWN = {"openvino": "benchmark_app", "tflite": "litert-benchmark", "onnx": "onnxruntime_test"}


@pytest.fixture
def engines(monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))
    import engines as module

    yield module
    for path in PEERS.glob("*.py"):
        sys.modules.pop(path.stem, None)


def _tool(engines, statistic: str):
    return engines.Tool("tool", "onnx", True, statistic, "all", lambda subject, call: None)


def test_a_slow_round_hits_both_sides_of_a_ratio(engines):
    rounds = [
        {
            "edgekd": engines.Ours(1.02 * slow, 2.04 * slow, 64, None, {}),
            "tool": engines.Reading(1.0 * slow, 64),
        }
        for slow in (1.0, 7.0, 1.0)
    ]
    found = engines._summary(_tool(engines, "p50"), rounds)
    assert found["ours_over_its"].low == found["ours_over_its"].high == pytest.approx(1.02)
    assert found["within"] is True
    # A tool that gives a mean is set against our mean.
    found = engines._summary(_tool(engines, "mean"), rounds)
    assert found["ours_over_its"].median == pytest.approx(2.04)
    assert found["within"] is False


def test_a_tool_that_ran_with_other_settings_is_told(engines):
    from engines_tables import differing

    facts = {"threads": 1, "precision_hint": "f32"}
    told = {"INFERENCE_NUM_THREADS": "2", "INFERENCE_PRECISION_HINT": "f32"}
    assert differing(told, facts) == "INFERENCE_NUM_THREADS is 2, ours is 1"
    assert differing({"INFERENCE_NUM_THREADS": "1"}, facts) == ""


def test_every_tool_gets_the_same_pixels(engines, bundles: Path, tmp_path: Path) -> None:
    from edgekd.runtime.preprocess import load_image

    subject = engines.Subject.of(bundles / "rpi-int8", tmp_path)
    arrays = sorted(subject.arrays.glob("*.npy"))
    assert len(arrays) == len(subject.images) >= 16
    for image, array in zip(subject.images, arrays, strict=True):
        pixels = np.load(array)
        assert np.array_equal(load_image(image.read_bytes(), pixels.shape[1]), pixels[0])


@pytest.mark.slow
def test_every_engines_own_tool_beside_ours(bundles: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "out.json", tmp_path / "out.md"
    names = ("rpi-int8", "cpu-fp32", "cpu-onnx-fp32")
    command = [
        sys.executable, str(PEERS / "engines.py"), "--quick",
        "--bundles", *(str(bundles / name) for name in names),
        "--json", str(out), "--markdown", str(table),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert [one["backend"] for one in result["subjects"]] == ["tflite", "openvino", "onnx"]
    for subject in result["subjects"]:
        assert subject["missing"] == {}
        own, bare = subject["tools"]
        assert (own["name"], bare["name"]) == (OWN[subject["backend"]], "bare loop")
        for tool in (own, bare):
            (reading,), (ours,) = tool["rounds"], subject["ours"]["rounds"]
            assert reading["runs"] >= 16
            assert reading["ms"] > 0
            ratio = ours[tool["statistic"]] / reading["ms"]
            assert tool["ours_over_its"]["median"] == pytest.approx(ratio)
    text = table.read_text()
    assert "other settings" not in text
    assert str(tmp_path) not in text + out.read_text()


def test_a_bundle_as_one_file_is_refused(engines, tmp_path: Path, capsys) -> None:
    packed = tmp_path / "model.edgekd"
    packed.write_bytes(b"")
    assert engines.main(["--bundles", str(packed), "--quick"]) == 2
    assert "is no folder" in capsys.readouterr().err
