"""Peak resident memory of this process (by /proc on Linux, elsewhere by getrusage)."""

from __future__ import annotations

import sys
from pathlib import Path

from edgekd.bench.measure.job import MemoryAnswer

__all__ = ["PeakMemory"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_SPAN = "loading the engine and the model and deciding on the images"


class PeakMemory:
    """Peak of the resident memory above its present value.

    Create it in a fresh process before the engine is imported and the model is loaded.
    """

    def __init__(self) -> None:
        self._reset = _reset_peak()
        self._before = _status("VmRSS") if self._reset else None
        if self._before is None:
            self._before = _getrusage_peak()
            self._reset = False

    def answer(self) -> MemoryAnswer:
        """The peak since this object was made, relative and absolute, with its definition."""
        peak = _status("VmHWM") if self._reset else None
        after = _getrusage_peak() if peak is None else peak
        return MemoryAnswer(
            rss_peak_delta_bytes=max(0, after - (self._before or 0)),
            definition=self._words(),
            rss_peak_bytes=after,
        )

    def _words(self) -> str:
        if self._reset:
            return f"VmHWM after {_SPAN}, minus VmRSS before; fresh process, VmHWM reset before"
        return f"ru_maxrss after {_SPAN}, minus ru_maxrss before; fresh process"


def _reset_peak() -> bool:
    """Reset VmHWM to VmRSS; not every system allows it."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _status(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def _getrusage_peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
