"""`benchmarks/peers/android.py`: what it reads of JMH's results, and its table."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"


@pytest.fixture
def android(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(PEERS))
    import android as module

    yield module
    for name in ("android", "summary", "contest", "passes", "photos", "reports", "environments"):
        sys.modules.pop(name, None)


def test_a_ratio_is_that_of_one_round(android: ModuleType) -> None:
    found = android.ratio({"loop": [1.0, 10.0, 2.0], "edgekd": [1.1, 11.0, 2.4]}, "edgekd")
    assert found.median == pytest.approx(1.1)
    assert found.high == pytest.approx(1.2)


def test_what_jmh_measured_is_read(android: ModuleType) -> None:
    entry = {
        "primaryMetric": {"scorePercentiles": {"0.0": 1.0, "50.0": 2.0}},
        "secondaryMetrics": {
            "gc.alloc.rate.norm": {"score": 3.0}, "peak memory": {"score": 4.0},
        },
    }  # fmt: skip
    assert android.read(entry) == {"ms": 2.0, "allocated_bytes": 3.0, "peak_bytes": 4.0}


def test_the_table_says_whether_the_aim_is_met(android: ModuleType) -> None:
    times = {"loop": [10.0, 10.0], "edgekd": [12.0, 13.0]}
    text = android.markdown(
        {
            "revision": "r", "cores": 1, "rounds": 2, "load": {"other_share": 0.5},
            "machine": {"cpu": "a processor", "edgekd": "0"},
            "bundle": {"model": "m", "image_size": 224, "precision": "int8"},
            "ms": {"4000×3000": times, "open": times},
            "peak_bytes": {"4000×3000": times, "open": times},
            "allocated_bytes": {"4000×3000": times, "open": times},
        }
    )  # fmt: skip
    assert f"1 of {os.cpu_count()} cores" in text
    assert "| edgekd | 12.50 | 1.25 (1.20–1.30) |" in text
    assert "| loop-of-all-pixels | – |" in text
    assert "4000×3000: the aim of ≤ 1.10 × the loop is **not met**: 1.25 (1.20–1.30)" in text


def test_a_module_that_is_not_built_is_told(
    android: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(android, "_CLASSPATH", tmp_path / "nothing")
    with pytest.raises(android.MissingDependencyError, match="not built"):
        android._java()
