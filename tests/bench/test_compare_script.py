"""`benchmarks/compare.py` and `benchmarks/repeatability.py` as a user starts them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import msgspec
import pytest
from bench_results import sample_result

from edgekd.bench.compare.regression import Regressions
from edgekd.bench.result import Result
from edgekd.bench.result.file import write_result
from edgekd.bench.result.statistics import summarise

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def slower(result: Result, factor: float) -> Result:
    """All valid times of a result that much longer."""

    def stretched(row):
        if row.latency_ms is None:
            return row
        model = summarise([factor * sample for sample in row.latency_ms.model.samples])
        return msgspec.structs.replace(
            row, latency_ms=msgspec.structs.replace(row.latency_ms, model=model)
        )

    return msgspec.structs.replace(result, rows=[stretched(row) for row in result.rows])


@pytest.fixture
def files(tmp_path):
    old, slow = tmp_path / "old.json", tmp_path / "slow.json"
    write_result(old, sample_result())
    write_result(slow, slower(sample_result(), 1.1))
    return old, slow


def test_exit_codes(files, tmp_path, capsys):
    main, (old, slow) = load("compare").main, [str(file) for file in files]
    assert main([old, old]) == 0
    assert main([old, old, "--strict"]) == 4  # one row's times drifted
    assert main([old, slow]) == 4
    assert "regressions" in capsys.readouterr().out
    assert main([old, slow, "--metric", "size", "--metric", "accuracy"]) == 0
    assert main([old, slow, "--tolerance", "0.2"]) == 0
    other = tmp_path / "other.json"
    write_result(other, sample_result("rpi"))
    assert main([old, str(other)]) == 2
    assert "the devices differ in name" in capsys.readouterr().err
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{}")
    assert main([old, str(damaged)]) == 6
    assert main([old, str(tmp_path / "nowhere.json")]) == 2


def test_what_it_writes(files, tmp_path, capsys):
    main, (old, slow) = load("compare").main, [str(file) for file in files]
    markdown, out = tmp_path / "table.md", tmp_path / "changes.json"
    assert main([old, slow, "--json", str(out), "--markdown", str(markdown)]) == 4
    found = msgspec.json.decode(out.read_bytes(), type=Regressions)
    assert "teacher resnet50" in {change.row for change in found.of("regression")}
    assert markdown.read_text().startswith("**")
    capsys.readouterr()
    assert main([old, slow, "--json", "-"]) == 4
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_bytes())
