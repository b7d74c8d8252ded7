"""The processor's clock, and whether heat or voltage reduces it (Linux)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from edgekd.bench.measure.sysfs import number, text

__all__ = ["CoreClock", "Throttling", "core_clock", "pi_bits", "throttling"]

_ROOT = Path("/")
_CPUFREQ = "sys/devices/system/cpu/cpu{}/cpufreq"
_TRIPS = ("passive", "hot", "critical")
_COOLERS = ("cpufreq", "processor")

_PI_BITS = {
    0: "its supply voltage is too low",
    1: "its clock is capped",
    2: "it is throttled",
    3: "its soft limit of temperature is reached",
}
"""Bits of `vcgencmd get_throttled` for the present; 16 bits higher they stand for any time since
boot (Raspberry Pi documentation, "vcgencmd")."""
_SINCE_BOOT = 16


class CoreClock(msgspec.Struct, frozen=True, kw_only=True):
    """Clock of the fastest core that this process may use, in MHz.

    Attributes:
        now: Present frequency.
        limit: Highest frequency that is allowed at present.
        rated: Highest frequency of the hardware.
        governor: Name of the frequency governor.
    """

    now: float | None = None
    limit: float | None = None
    rated: float | None = None
    governor: str | None = None


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """Signs that the processor is throttled.

    Attributes:
        signs: Present causes, in words.
        counts: Number of events since boot by counter; only an increase is meaningful.
    """

    signs: list[str] = []
    counts: dict[str, int] = {}


def core_clock(root: Path = _ROOT) -> CoreClock:
    """The clock now; null where the system does not report it, as in most virtual machines.

    Args:
        root: Where `sys` is.
    """
    folders = [root / _CPUFREQ.format(core) for core in _cores()]
    governors = {text(folder / "scaling_governor") for folder in folders} - {None}
    return CoreClock(
        now=_fastest(folders, "scaling_cur_freq"),
        limit=_fastest(folders, "scaling_max_freq"),
        rated=_fastest(folders, "cpuinfo_max_freq"),
        governor=", ".join(sorted(str(name) for name in governors)) or None,
    )


def throttling(
    root: Path = _ROOT, *, firmware: Callable[[], int | None] | None = None
) -> Throttling:
    """Present causes of throttling, and the number of events since boot.

    Sources: the firmware of a Raspberry Pi; passive, hot and critical trip points of the thermal
    zones; cooling devices that slow the processor; the throttle counters of x86.

    Args:
        root: Where `sys` is.
        firmware: Returns the bits of a Raspberry Pi's `get_throttled`; None runs `vcgencmd`.
    """
    bits = (firmware or pi_bits)()
    signs = [*_pi_signs(bits), *_tripped(root), *_cooled(root)]
    return Throttling(signs=signs, counts=_pi_counts(bits) | _x86_counts(root))


def pi_bits() -> int | None:
    """The bits of `vcgencmd get_throttled`; None without that command or the right to run it."""
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "get_throttled"], capture_output=True, text=True, timeout=5, check=False
        )
        return int(done.stdout.strip().partition("=")[2], 16)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _pi_signs(bits: int | None) -> list[str]:
    return [words for bit, words in _PI_BITS.items() if (bits or 0) >> bit & 1]


def _pi_counts(bits: int | None) -> dict[str, int]:
    """The bits since boot, which are never cleared."""
    since = (bits or 0) >> _SINCE_BOOT
    return {words: since >> bit & 1 for bit, words in _PI_BITS.items()} if bits is not None else {}


def _tripped(root: Path) -> Iterator[str]:
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        degrees = number(zone / "temp")
        for file in sorted(zone.glob("trip_point_*_type")):
            kind = text(file)
            at = number(file.with_name(file.name.replace("_type", "_temp")))
            # 0 and below stand for a trip point that is switched off.
            if degrees is not None and kind in _TRIPS and at is not None and 0 < at <= degrees:
                name = text(zone / "type") or zone.name
                yield f"{name} has {degrees / 1000:.0f} °C, its {kind} limit is {at / 1000:.0f} °C"


def _cooled(root: Path) -> Iterator[str]:
    for device in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind, state = text(device / "type") or "", number(device / "cur_state")
        if state and any(word in kind.casefold() for word in _COOLERS):
            yield f"the cooling device {kind} slows it by {state} steps"


def _x86_counts(root: Path) -> dict[str, int]:
    counts = {}
    for core in _cores():
        folder = root / f"sys/devices/system/cpu/cpu{core}/thermal_throttle"
        for kind in ("core", "package"):
            events = number(folder / f"{kind}_throttle_count")
            if events is not None:
                counts[f"cpu{core} counted a {kind} throttle"] = events
    return counts


def _fastest(folders: list[Path], name: str) -> float | None:
    frequencies = [khz for folder in folders if (khz := number(folder / name)) is not None]
    return max(frequencies) / 1000 if frequencies else None


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
