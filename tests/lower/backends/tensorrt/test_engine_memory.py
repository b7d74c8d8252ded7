"""How much memory a build may take."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgekd.lower.backends.tensorrt.memory import budget_of, read_memory, swap_hint

MIB, GIB = 1 << 20, 1 << 30

ORIN_NANO = """MemTotal:        7802704 kB
MemFree:          312000 kB
MemAvailable:    1953124 kB
SwapTotal:       3901336 kB
HugePages_Total:       0
"""


@pytest.mark.parametrize(
    ("available", "workspace", "level"),
    [
        (20 * GIB, GIB, None),
        (2 * GIB, GIB, None),
        (2 * GIB - 1, GIB - 1, 2),
        (GIB, 512 * MIB, 2),
        (300 * MIB, 150 * MIB, 1),
        (10 * MIB, 64 * MIB, 1),
        (None, 256 * MIB, None),
    ],
)
def test_budget(available: int | None, workspace: int, level: int | None) -> None:
    budget = budget_of(available)
    assert budget.workspace_bytes == pytest.approx(workspace, abs=1)
    assert budget.optimization_level == level


def test_meminfo(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text(ORIN_NANO)
    memory = read_memory(file)
    assert memory["MemAvailable"] == 1953124 * 1024
    assert memory["SwapTotal"] == 3901336 * 1024
    assert "1.9 GiB are available and 3.7 GiB are swap" in swap_hint(memory)
    assert read_memory(tmp_path / "absent") == {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
def test_this_machine_tells() -> None:
    memory = read_memory()
    assert 0 < memory["MemAvailable"] < memory["MemTotal"]
