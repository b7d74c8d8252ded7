"""Facts of this machine. They are only read; a fact that cannot be read is left out."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from edgekd import __version__
from edgekd.bench.measure.sysfs import field, number, text
from edgekd.extensions.backends import loadable_backends

__all__ = [
    "default_threads",
    "device_tree_model",
    "local_facts",
    "runtime_versions",
    "temperatures",
]

_CPUS = Path("/sys/devices/system/cpu")
_THERMAL = Path("/sys/class/thermal")
_DEVICE_TREE = Path("/proc/device-tree/model")
_MAX_DEFAULT_THREADS = 4

_RUNTIMES = ("numpy", "opencv-python-headless", "opencv-python", "torch", "timm")
"""Libraries beside the engines that inference depends on."""


def local_facts() -> dict[str, Any]:
    """Facts of this machine, for the environment block of a result."""
    facts = {
        "model": device_tree_model(),
        "cpu": _cpu_model(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "cores_usable": _usable_cores(),
        "default_threads": default_threads(),
        "ram_bytes": _meminfo("MemTotal"),
        "governor": text(_CPUS / "cpu0/cpufreq/scaling_governor"),
        "max_khz": number(_CPUS / "cpu0/cpufreq/cpuinfo_max_freq"),
        "virtual_machine": "hypervisor" in _cpuinfo("flags").split() or None,
        "system": _system(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "edgekd": __version__,
        "packages": runtime_versions(),
        "temperatures_c": temperatures() or None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def runtime_versions() -> dict[str, str]:
    """Versions of the engines and libraries that are installed, without importing them."""
    engines = [name for each in loadable_backends() for name in each.engine.distributions]
    versions = {}
    for name in dict.fromkeys((*_RUNTIMES, *engines)):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def temperatures() -> dict[str, float]:
    """Degrees Celsius by thermal zone; empty where none can be read."""
    degrees_by_zone = {}
    for zone in sorted(_THERMAL.glob("thermal_zone*")):
        degrees = number(zone / "temp")
        if degrees is not None:
            degrees_by_zone[text(zone / "type") or zone.name] = degrees / 1000
    return degrees_by_zone


def device_tree_model() -> str | None:
    """Name of the board by the device tree (ARM boards); None without one."""
    return text(_DEVICE_TREE)


def default_threads() -> int:
    """Number of big cores that this process may use, at most 4."""
    capacities = [number(path) for path in _CPUS.glob("cpu[0-9]*/cpu_capacity")]
    known = [capacity for capacity in capacities if capacity is not None]
    big = known.count(max(known)) if known else _usable_cores()
    return max(1, min(big, _usable_cores(), _MAX_DEFAULT_THREADS))


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str | None:
    return _cpuinfo("model name") or platform.processor() or None


def _cpuinfo(name: str) -> str:
    return field(Path("/proc/cpuinfo"), name)


def _meminfo(name: str) -> int | None:
    words = field(Path("/proc/meminfo"), name).split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _system() -> str | None:
    named = field(Path("/etc/os-release"), "PRETTY_NAME", separator="=").strip('"')
    return named or platform.system() or None
