"""When this process was started, for a host that compares its own clock with the device's."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["process_start_time"]

_LOADED = time.monotonic()
_STAT = Path("/proc/self/stat")
_START_TIME = 19
"""Index of `starttime` in the fields behind the command's name and its bracket (proc(5))."""


def process_start_time(stat: Path = _STAT) -> float:
    """Seconds of the monotonic clock at which this process was forked, or a little later.

    Python and numpy take a second or more to load on a small board. Where the kernel does not
    report it, this is the time at which this module was loaded.

    Args:
        stat: The kernel's file about this process.
    """
    try:
        fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        # One tick later, since the kernel rounds down to a whole tick.
        ticks = int(fields[_START_TIME]) + 1
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError, IndexError):
        return _LOADED
    return min(time.monotonic() - age, _LOADED) if age >= 0 else _LOADED
