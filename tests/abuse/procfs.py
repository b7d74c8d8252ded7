"""What Linux tells of a process: memory, files, threads."""

from __future__ import annotations

import gc
import os
from pathlib import Path

__all__ = ["TOLD", "descriptors", "forget_peak", "peak", "resident", "threads", "worked"]

_SELF = Path("/proc/self")
TOLD = (_SELF / "clear_refs").exists() and "VmHWM" in (_SELF / "status").read_text()
"""Whether this system tells all of it."""


def _status(key: str) -> int:
    for line in (_SELF / "status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise LookupError(key)


def resident() -> int:
    """Bytes of memory that are resident now, after Python has collected its garbage."""
    gc.collect()
    return _status("VmRSS") * 1024


def forget_peak() -> None:
    """Let the peak begin anew (proc(5): 5 resets the "high water mark")."""
    (_SELF / "clear_refs").write_text("5")


def peak() -> int:
    """Most bytes that were resident since `forget_peak`."""
    return _status("VmHWM") * 1024


def threads() -> int:
    """Threads of the process, those of the engines too."""
    return _status("Threads")


def descriptors() -> dict[str, str]:
    """Open files: what each descriptor leads to, without the one that lists them."""
    found = {}
    for link in (_SELF / "fd").iterdir():
        try:
            found[link.name] = str(link.readlink())
        except OSError:  # the folder's own
            continue
    return found


def worked(process: int) -> float:
    """Seconds of the processors that a process has taken so far, in all its threads."""
    stat = Path(f"/proc/{process}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]  # the name before may have blanks
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
