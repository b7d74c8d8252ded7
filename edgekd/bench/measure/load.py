"""How much of the machine other processes took while something was measured (Linux)."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["OtherLoad", "other_share"]

_STAT = Path("/proc/stat")
_SHORTEST = 1.0  # CPU seconds; the counters step by 10 ms per core


class OtherLoad:
    """Share of the machine's CPU time that other processes used inside a `with` block.

    Attributes:
        share: 0…1 after the block; None where the system does not tell, or the block is too short.
    """

    def __init__(self) -> None:
        self.share: float | None = None
        self._begin: tuple[float, float] | None = None
        self._own = 0.0

    def __enter__(self) -> OtherLoad:
        """Take the counters."""
        self._begin, self._own = _machine_seconds(), _own_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        """Take them again."""
        end = _machine_seconds()
        if self._begin is not None and end is not None:
            self.share = other_share(self._begin, end, _own_seconds() - self._own)


def other_share(
    begin: tuple[float, float], end: tuple[float, float], own_seconds: float
) -> float | None:
    """Share of others from two readings of (busy, all) CPU seconds and the own ones between."""
    busy, total = end[0] - begin[0], end[1] - begin[1]
    if total < _SHORTEST:
        return None
    return min(1.0, max(0.0, busy - own_seconds) / total)


def _own_seconds() -> float:
    return time.process_time()


def _machine_seconds() -> tuple[float, float] | None:
    """Busy and all CPU seconds since boot, over all cores."""
    try:
        fields = _STAT.read_text().split("\n", maxsplit=1)[0].split()[1:9]
        ticks = [int(field) for field in fields]
    except (OSError, ValueError):
        return None
    if len(ticks) < 5:
        return None
    idle = ticks[3] + ticks[4]
    hertz = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / hertz, sum(ticks) / hertz
