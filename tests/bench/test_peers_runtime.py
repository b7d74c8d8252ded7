"""`benchmarks/peers/runtime.py`: it runs, and its ratios are what it says they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"


@pytest.fixture
def summary(monkeypatch):
    monkeypatch.syspath_prepend(str(PEERS))
    import summary as module

    yield module
    for name in ("summary", "contest", "child", "passes", "photos", "environments"):
        sys.modules.pop(name, None)


def test_a_slow_turn_hits_both_sides_of_a_ratio(summary):
    times = {"size": {"floor": [[1.0, 10.0, 1.0]], "edgekd": [[1.1, 11.0, 1.1]]}}
    found = summary.speed_summary(times)["size"]["edgekd"]
    assert found["of_floor"].median == pytest.approx(1.1)
    assert found["tutorial_by"] is None


def test_a_cold_start_is_set_against_the_quickest_peer(summary):
    steps = {"interpreter": 1.0, "open": 1.0, "photo": 1.0}
    totals = {"edgekd": 30.0, "floor": 10.0, "mediapipe": 60.0, "tutorial": 50.0}
    starts = {"size": {name: [{"total": ms, **steps}] for name, ms in totals.items()}}
    found = summary.cold_summary(starts)["size"]["edgekd"]
    assert found["quickest_peer"] == "tutorial"  # the floor is no peer
    assert found["of_quickest_peer"].median == pytest.approx(0.6)


def test_an_aim_whose_contestant_is_missing_is_not_met(summary):
    aim = summary.Aim("what", 1.0, True, None)
    assert aim.met is None
    assert summary.Aim("what", 3.0, True, summary.Spread(2.9, 2.0, 4.0)).met is False
    assert summary.Aim("what", 3.0, False, summary.Spread(2.9, 2.0, 4.0)).met is True


@pytest.mark.slow
def test_the_floor_and_edgekd_side_by_side(bundles: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "out.json", tmp_path / "out.md"
    command = [
        sys.executable, str(PEERS / "runtime.py"), "--bundle", str(bundles / "rpi-int8"),
        "--quick", "--here", "--only", "floor", "edgekd", "model-api",
        "--json", str(out), "--markdown", str(table),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert list(result["missing"]) == ["model-api"]  # no OpenVINO bundle was given
    for size, cells in result["summary"]["speed"].items():
        assert cells["floor"]["of_floor"]["median"] == 1
        assert cells["edgekd"]["of_floor"]["low"] > 0  # how much, no busy machine can tell
        assert result["labels"][size]["edgekd"] == result["labels"][size]["floor"]
    steps = result["summary"]["cold"]["600×450"]["edgekd"]["steps"]
    assert all(value > 0 for value in steps.values())
    assert min(result["memory_bytes"]["6000×4000"]["edgekd"]) > 30e6
    assert "**model-api is not in the tables**" in table.read_text()
