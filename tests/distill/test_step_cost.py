"""The benchmark of training steps runs and writes what it promises."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "step_cost.py"


def test_step_cost(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("step_cost", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    file = tmp_path / "cost.json"
    arguments = "--views 8 --size 32 --arch resnet10t --teacher resnet10t --repeat 2 --threads 1"
    extra = ["--methods", "rkd", "ssd_kd", "--no-memory", "--json", str(file)]
    assert module.main([*arguments.split(), *extra]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [row["method"] for row in rows] == ["kd", "rkd", "ssd_kd"]
    assert rows[0]["ratio"] == 1.0
    assert all(row["seconds"] > 0 and len(row["ratios"]) == 2 for row in rows)
    assert "ssd_kd" in capsys.readouterr().out
