"""Counters of the kernel before and after, from real files; loads and waits are real ones."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from edgekd.bench.measure.disturbances import (
    Counters,
    DisturbanceMonitor,
    Disturbances,
    between,
    read_counters,
)
from edgekd.bench.measure.load import CpuSeconds

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


def test_what_happened_between_two_readings(tmp_path):
    write_proc(tmp_path, user=100, idle=100, swapped_in=10, swapped_out=20)
    monitor = DisturbanceMonitor(tmp_path)
    with monitor:
        write_proc(
            tmp_path, user=104, idle=105, steal=1, swapped_in=310, swapped_out=25, own_swap_kb=3
        )
    seen = monitor.disturbances
    assert seen.other_load == pytest.approx(0.4, abs=0.05)  # less what this process used
    assert seen.other_cores == pytest.approx(4 / seen.seconds, rel=0.1)
    assert seen.stolen == pytest.approx(0.1)
    assert seen.swapped_pages == 305
    assert seen.own_swap_bytes == 3072
    assert abs(seen.clock_jump_s) < 0.2
    assert seen.throttled == []


def test_the_load_of_helpers_is_no_disturbance(tmp_path):
    write_proc(tmp_path, user=100, idle=100)
    seconds = iter((10.0, 13.0))
    monitor = DisturbanceMonitor(tmp_path, helpers=lambda: next(seconds))
    with monitor:
        write_proc(tmp_path, user=104, idle=106)
    assert monitor.disturbances.other_load == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize(("flags", "virtual"), [("fpu hypervisor avx2", True), ("fpu avx2", False)])
def test_a_virtual_machine_is_known(tmp_path, flags, virtual):
    write_proc(tmp_path)
    (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    with DisturbanceMonitor(tmp_path) as monitor:
        pass
    assert monitor.disturbances.virtual is virtual


def test_time_that_a_hypervisor_took_is_no_load(tmp_path):
    write_proc(tmp_path, user=100, idle=100)
    with DisturbanceMonitor(tmp_path) as monitor:
        write_proc(tmp_path, user=100, idle=104, steal=6)
    assert monitor.disturbances.stolen == pytest.approx(0.6)
    assert monitor.disturbances.other_load == 0.0


def test_a_system_that_tells_nothing_gives_nothing(tmp_path):
    with DisturbanceMonitor(tmp_path) as monitor:
        pass
    seen = monitor.disturbances
    assert (seen.other_load, seen.stolen, seen.swapped_pages) == (None, None, None)
    assert (seen.own_swap_bytes, seen.throttled) == (None, [])
    assert seen.clock_after.now is None


@pytest.mark.parametrize("line", ["cpu  1 2 three 4 5 6 7 8", "cpu 1 2 3 4", "", "intr 5"])
def test_counters_that_make_no_sense_are_not_told(tmp_path, line):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(f"{line}\n")
    assert read_counters(tmp_path).cpu is None


def test_a_wall_clock_that_was_set_is_noticed():
    begin = Counters(monotonic=100.0, wall=1_700_000_000.0)
    assert between(begin, Counters(monotonic=106.0, wall=1_700_000_006.0)).clock_jump_s == 0.0
    set_back = between(begin, Counters(monotonic=106.0, wall=1_699_996_406.0))
    assert set_back.clock_jump_s == pytest.approx(-3600)
    assert set_back.seconds == pytest.approx(6.0)


def test_it_travels_as_json():
    with DisturbanceMonitor() as monitor:
        pass
    raw = msgspec.json.encode(monitor.disturbances)
    assert msgspec.json.decode(raw, type=Disturbances) == monitor.disturbances
