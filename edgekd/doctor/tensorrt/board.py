"""Readings of a Jetson's state; nothing is changed.

Sources: NVIDIA Jetson Linux Developer Guide, "Platform power and performance" (nvpmodel,
jetson_clocks); Documentation/ABI/testing/sysfs-class-devfreq and -devices-system-cpu of Linux.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.measure.sysfs import number, text
from edgekd.lower.backends.tensorrt.memory import read_memory

__all__ = ["Clock", "clocks", "memory", "power_mode", "swaps", "temperatures"]

_MODE = re.compile(r"NV Power Mode:\s*(\S+)")
_GPU = re.compile(r"gpu|gv11b|ga10b|gp10b", re.IGNORECASE)
_SECONDS = 10


@dataclass(frozen=True)
class Clock:
    """A clock, in MHz; 0 where the system does not report it.

    Attributes:
        name: `CPU` with the numbers of its cores, or the name of the GPU's device.
        now: Current frequency.
        low: Lowest frequency that the governor may choose.
        high: Highest frequency.
        governor: Name of the frequency governor.
    """

    name: str
    now: int
    low: int
    high: int
    governor: str

    @property
    def held(self) -> bool:
        """Whether its frequency is fixed, as jetson_clocks does."""
        return self.low == self.high > 0


def power_mode() -> str | None:
    """Name of the power mode, such as `MAXN` or `15W`; None where nvpmodel does not report it."""
    program = shutil.which("nvpmodel")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-q"], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    mode = _MODE.search(done.stdout)
    return mode[1] if mode else None


def clocks(root: Path = Path("/")) -> list[Clock]:
    """The clocks of the CPU's clusters and of the GPU, as far as the system reports them.

    Args:
        root: Folder of `sys`.
    """
    return [*_cpu_clocks(root / "sys/devices/system/cpu/cpufreq"), *_gpu_clocks(root)]


def _cpu_clocks(folder: Path) -> Iterator[Clock]:
    for policy in sorted(folder.glob("policy*")):
        cores = (text(policy / "related_cpus") or policy.name.removeprefix("policy")).split()
        name = f"CPU {cores[0]}" if len(cores) == 1 else f"CPU {cores[0]}-{cores[-1]}"
        yield _clock(name, policy, "scaling_{}_freq", "scaling_governor", 1000)


def _gpu_clocks(root: Path) -> Iterator[Clock]:
    for device in sorted((root / "sys/class/devfreq").glob("*")):
        if _GPU.search(device.name):
            yield _clock(f"GPU {device.name}", device, "{}_freq", "governor", 1_000_000)


def _clock(name: str, folder: Path, pattern: str, governor: str, per_mhz: int) -> Clock:
    read = [(number(folder / pattern.format(which)) or 0) for which in ("cur", "min", "max")]
    now, low, high = (value // per_mhz for value in read)
    return Clock(name, now, low, high, text(folder / governor) or "unknown")


def memory(root: Path = Path("/")) -> dict[str, int]:
    """Bytes by name (`MemTotal`, `MemAvailable`, `SwapTotal`, `SwapFree`, …); may be empty."""
    return read_memory(root / "proc/meminfo")


def swaps(root: Path = Path("/")) -> dict[str, int]:
    """Bytes of each swap by its file or device, such as `/dev/zram0`; empty without one."""
    lines = (text(root / "proc/swaps") or "").splitlines()[1:]
    rows = [line.split() for line in lines]
    return {row[0]: int(row[2]) << 10 for row in rows if len(row) >= 3 and row[2].isdigit()}


def temperatures(root: Path = Path("/")) -> dict[str, float]:
    """Degrees Celsius by thermal zone; a zone that is off is left out."""
    degrees_by_zone = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        degrees = number(zone / "temp")
        if degrees is not None and degrees > 0:
            degrees_by_zone[text(zone / "type") or zone.name] = degrees / 1000
    return degrees_by_zone
