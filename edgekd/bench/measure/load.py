"""CPU time of this process, of others and of the hypervisor (Linux)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from edgekd.bench.measure.sysfs import text

__all__ = ["CpuSeconds", "cpu_seconds", "other_seconds", "other_share"]

_SHORTEST = 1.0  # CPU seconds; the counters step by 10 ms per core
_ROOT = Path("/")


class CpuSeconds(NamedTuple):
    """CPU seconds since boot over all cores.

    Attributes:
        busy: Used by some process of this system.
        total: Busy, idle and stolen.
        stolen: Given to others by a hypervisor while this system wanted to run.
        process: Used by this process.
    """

    busy: float
    total: float
    stolen: float
    process: float


def cpu_seconds(root: Path = _ROOT) -> CpuSeconds | None:
    """The counters now; None where the system does not report them.

    Args:
        root: Where `proc` is.
    """
    line = (text(root / "proc/stat") or "").split("\n", maxsplit=1)[0]
    try:
        ticks = [int(word) for word in line.split()[1:9]]
    except ValueError:
        return None
    if len(ticks) < 8:
        return None
    hertz = os.sysconf("SC_CLK_TCK")
    idle, stolen, total = ticks[3] + ticks[4], ticks[7], sum(ticks)
    busy = total - idle - stolen
    return CpuSeconds(busy / hertz, total / hertz, stolen / hertz, time.process_time())


def other_seconds(begin: CpuSeconds, end: CpuSeconds) -> float | None:
    """CPU seconds of other processes between two readings; None where they are too close."""
    if end.total - begin.total < _SHORTEST:
        return None
    return max(0.0, (end.busy - begin.busy) - (end.process - begin.process))


def other_share(begin: CpuSeconds, end: CpuSeconds) -> float | None:
    """CPU time of other processes between two readings, as a share of all, 0…1."""
    seconds = other_seconds(begin, end)
    return None if seconds is None else min(1.0, seconds / (end.total - begin.total))
