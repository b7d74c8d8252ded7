"""The benchmark of searches: its table; and, on request, that it holds what it promises."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "tune_trial.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("tune_trial", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_compares_front_and_recipe(script: Any) -> None:
    row = script.Row(seed=1, trials=20, killed=4, default=0.2, front=0.3, others=0.25, seconds=9.6)
    last = script.markdown([row]).splitlines()[-1]
    assert last == "| 1 | 20 | trial 4 | 0.200 | 0.300 (1.50 ×) | 0.250 | 10 |"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_twenty_short_trials_beat_the_recipe_although_a_worker_is_killed(
    script: Any, seed: int, tmp_path: Path
) -> None:
    row = script.search(seed, tmp_path / "seed", trials=20, workers=2, kill=True)
    assert row.front > row.default
    assert row.killed is not None
    assert row.trials == 20
    assert (tmp_path / "seed" / "search" / "front.svg").is_file()
