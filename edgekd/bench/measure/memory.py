"""Peak resident memory of this process (/proc on Linux, elsewhere getrusage), or of others."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from edgekd.bench.measure.job import MemoryAnswer

__all__ = ["PeakMemory", "PeakOfProcesses"]

_PROC = Path("/proc")
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


class PeakOfProcesses:
    """The same for the one of several processes whose memory grows most (Linux).

    Args:
        processes: Their numbers, before the engine and the model are loaded.
    """

    def __init__(self, processes: Iterable[int]) -> None:
        before = {each: _status("VmRSS", str(each)) for each in processes if _reset_peak(str(each))}
        self._before = {each: size for each, size in before.items() if size is not None}

    def answer(self, process: str) -> MemoryAnswer | None:
        """The peak since this object was made; None where the system does not tell.

        Args:
            process: What the process is, for the definition.
        """
        peaks = {each: _status("VmHWM", str(each)) or 0 for each in self._before}
        if not peaks:
            return None
        grown = max(peaks, key=lambda each: peaks[each] - self._before[each])
        return MemoryAnswer(
            rss_peak_delta_bytes=max(0, peaks[grown] - self._before[grown]),
            definition=f"VmHWM of {process} after {_SPAN}, minus its VmRSS before",
            rss_peak_bytes=peaks[grown],
        )


def _reset_peak(process: str = "self") -> bool:
    """Reset VmHWM to VmRSS; not every system allows it."""
    try:
        (_PROC / process / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _status(field: str, process: str = "self") -> int | None:
    try:
        lines = (_PROC / process / "status").read_text().splitlines()
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
