"""CPU time of other processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekd.bench.measure.disturbances import (
    DisturbanceMonitor,
)
from edgekd.bench.measure.load import CpuSeconds, other_seconds, other_share

HERTZ = os.sysconf("SC_CLK_TCK")


def write_proc(
    root: Path, *, user=0, idle=0, steal=0, swapped_in=0, swapped_out=0, own_swap_kb=0
) -> None:
    """What the kernel would tell; CPU times in seconds."""
    folder = root / "proc"
    (folder / "self").mkdir(parents=True, exist_ok=True)
    ticks = [user * HERTZ, 0, 0, idle * HERTZ, 0, 0, 0, steal * HERTZ, 7, 0]
    (folder / "stat").write_text(f"cpu  {' '.join(map(str, ticks))}\ncpu0 1 2 3\n")
    swapping = f"pswpin {swapped_in}\npswpout {swapped_out}\n"
    (folder / "vmstat").write_text(f"nr_free_pages 12\n{swapping}thp_fault_alloc 3\n")
    (folder / "self/status").write_text(f"Name:\tpython\nVmSwap:\t{own_swap_kb:8d} kB\n")


def seconds(busy: float, total: float, stolen: float = 0.0, own: float = 0.0) -> CpuSeconds:
    return CpuSeconds(busy, total, stolen, own)


def test_share_of_others():
    nothing = seconds(0, 0)
    assert other_share(nothing, seconds(3, 10, own=1)) == pytest.approx(0.2)
    assert other_share(nothing, seconds(3, 10, own=4)) == 0.0
    assert other_share(nothing, seconds(0.1, 0.5)) is None
    assert other_seconds(nothing, seconds(3, 10, own=1)) == pytest.approx(2.0)


def test_another_process_that_computes_is_seen():
    """One process that never rests, on a machine of any number of cores, really."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        with DisturbanceMonitor() as monitor:
            time.sleep(max(1.0, 2.5 / (os.cpu_count() or 1)))
    finally:
        busy.kill()
        busy.wait()
    # Whatever else runs here, this one gets its fair share of a core.
    assert monitor.disturbances.other_cores > 0.2
    assert 0 < monitor.disturbances.other_load <= 1


def test_own_work_is_no_load_of_others(tmp_path):
    write_proc(tmp_path, user=100, idle=100)
    with DisturbanceMonitor(tmp_path) as monitor:
        end = time.process_time() + 0.5
        while time.process_time() < end:
            sum(range(1000))
        write_proc(tmp_path, user=101, idle=109)
    assert monitor.disturbances.other_load == pytest.approx(0.05, abs=0.01)
