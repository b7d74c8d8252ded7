"""Facts of a board, read by its bare Python before anything is installed there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from edgekd.bench.devices.transport import Transport, quoted_path
from edgekd.errors import EdgekdError, MissingDependencyError
from edgekd.extensions.backends import BACKENDS, Requirement, backend_named, loadable_backends

__all__ = [
    "BASE",
    "OLDEST_PYTHON",
    "BoardFacts",
    "DeviceLacksError",
    "ask_board",
    "engine_of",
    "throttling_in_words",
]

OLDEST_PYTHON = (3, 10)
STAND_IN = "qemu-user stand-in"

# Runs on any Python from 2.7 on, so that an old one can report its version.
_PROBE = r"""
import json, os, platform, sys
def text(path):
    try:
        with open(path) as stream:
            return stream.read().strip("\0\n ")
    except Exception:
        return ""
def field(path, name):
    for line in text(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
def kilobytes(name):
    words = field("/proc/meminfo", name).split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None
def found(name):
    try:
        from importlib.util import find_spec
        return find_spec(name) is not None
    except Exception:
        return False
def throttled():
    import subprocess
    try:
        pipe = subprocess.PIPE
        run = subprocess.Popen(["vcgencmd", "get_throttled"], stdout=pipe, stderr=pipe)
        said = run.communicate()[0].decode()
        return int(said.strip().rpartition("=")[2], 16)
    except Exception:
        said = text("/sys/devices/platform/soc/soc:firmware/get_throttled")
    try:
        return int(said, 16)
    except ValueError:
        return None
zones = {}
base = "/sys/class/thermal"
for zone in sorted(os.listdir(base)) if os.path.isdir(base) else []:
    degrees = text(base + "/" + zone + "/temp")
    if zone.startswith("thermal_zone") and degrees.lstrip("-").isdigit():
        zones[text(base + "/" + zone + "/type") or zone] = int(degrees) / 1000.0
libc = platform.libc_ver()
model = text("/proc/device-tree/model") or field("/proc/cpuinfo", "Model")
print(json.dumps({
    "python": list(sys.version_info[:3]),
    "implementation": platform.python_implementation(),
    "machine": platform.machine(),
    "glibc_version": libc[1] if libc[0] == "glibc" else "",
    "model": model,
    "stand_in": field("/proc/cpuinfo", "Model"),
    "modules": [name for name in sys.argv[1:] if found(name)],
    "ram_bytes": kilobytes("MemTotal"),
    "ram_free_bytes": kilobytes("MemAvailable"),
    "swap_used_bytes": (kilobytes("SwapTotal") or 0) - (kilobytes("SwapFree") or 0),
    "governor": text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    "load": text("/proc/loadavg").split(" ")[0],
    "temperatures_c": zones,
    "throttled": throttled(),
}))
"""

_THROTTLING = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
"""Bits of `vcgencmd get_throttled` for the present (Raspberry Pi documentation); 16 bits higher
they stand for any time since boot."""


class DeviceLacksError(MissingDependencyError):
    """A device lacks a package, or a Python that can run it.

    Args:
        message: What is missing, and on which device.
        hint: What to do about it there.
        package: The distribution's name.
    """

    def __init__(self, message: str, hint: str, package: str) -> None:
        super().__init__(package, "", "")
        EdgekdError.__init__(self, message, hint)
        self.package = package


BASE = (
    Requirement(("numpy",), ("numpy",)),
    Requirement(("msgspec",), ("msgspec",)),
    Requirement(("cv2",), ("opencv-python-headless", "opencv-python")),
)
"""Packages that edgekd's runtime needs on every board."""


class BoardFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of a board; empty or null where the board does not report one.

    Attributes:
        python: Version of its Python, as three numbers.
        implementation: `CPython`, as a rule.
        machine: Architecture, such as `aarch64`.
        glibc_version: Version of glibc, such as `2.36`; empty with another C library.
        model: The board's name by its device tree.
        stand_in: The Model line of /proc/cpuinfo, which marks an emulated processor.
        modules: Packages of the runtime and of the engines that its Python can import.
        ram_bytes: Memory.
        ram_free_bytes: Memory that is available.
        swap_used_bytes: Swap in use.
        governor: Frequency governor of the first core.
        load: Load average over a minute.
        temperatures_c: Degrees Celsius by thermal zone.
        throttled: The bits of a Raspberry Pi's firmware.
    """

    python: tuple[int, int, int]
    implementation: str
    machine: str
    glibc_version: str
    model: str
    stand_in: str
    modules: list[str]
    ram_bytes: int | None
    ram_free_bytes: int | None
    swap_used_bytes: int | None
    governor: str
    load: str
    temperatures_c: dict[str, float]
    throttled: int | None

    @property
    def python_version(self) -> tuple[int, int]:
        """Major and minor version of its Python."""
        return self.python[:2]

    @property
    def glibc(self) -> tuple[int, int] | None:
        """Major and minor version of its glibc, by which wheels are chosen; None without one."""
        parts = self.glibc_version.split(".")
        if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
            return None
        return int(parts[0]), int(parts[1])

    @property
    def emulated(self) -> bool:
        """Whether the processor is emulated."""
        return STAND_IN in self.stand_in

    def lacks(self, needs: Iterable[Requirement]) -> list[Requirement]:
        """The requirements that are not met."""
        return [need for need in needs if not set(need.packages) & set(self.modules)]


def engine_of(backend: str) -> Requirement | None:
    """The engine that a board needs for a backend; None for an unknown backend."""
    return backend_named(backend).engine if backend in BACKENDS else None


def _packages() -> list[str]:
    """All packages that are looked for on a board."""
    needs = [*BASE, *(backend.engine for backend in loadable_backends())]
    return [package for need in needs for package in need.packages]


def ask_board(transport: Transport, python: str, *, path: str = "") -> BoardFacts:
    """Run the probe in a board's Python.

    Args:
        transport: The connection.
        python: Command of its Python.
        path: A folder of packages there that is searched first.

    Raises:
        DeviceUnreachableError: The connection failed.
        DeviceLacksError: There is no such Python, or it is too old.
    """
    environment = f"PYTHONPATH={quoted_path(path)} " if path else ""
    command = f"{environment}{quoted_path(python)} - {' '.join(_packages())}"
    done = transport.run(command, stdin=_PROBE.encode())
    facts = _facts(done.stdout)
    if done.code != 0 or facts is None:
        why = done.last_line or f"exit code {done.code}"
        message = f"{transport.name}: {python} is no Python that answers ({why})"
        raise DeviceLacksError(message, _python_hint(), "python3")
    if facts.python_version < OLDEST_PYTHON or facts.implementation != "CPython":
        version = ".".join(map(str, facts.python))
        message = f"{transport.name}: {python} is {facts.implementation} {version}"
        raise DeviceLacksError(message, _python_hint(), "python3")
    return facts


def throttling_in_words(bits: int) -> str:
    """The state of power and heat that a Raspberry Pi's firmware reports, in words."""
    now = [words for bit, words in _THROTTLING.items() if bits >> bit & 1]
    ever = [f"{words} since boot" for bit, words in _THROTTLING.items() if bits >> bit + 16 & 1]
    return ", ".join([*now, *ever]) or "none"


def _facts(stdout: bytes) -> BoardFacts | None:
    lines: list[bytes] = stdout.strip().splitlines()
    try:
        raw: Any = msgspec.json.decode(lines[-1])
        return msgspec.convert(raw, BoardFacts)
    except (IndexError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _python_hint() -> str:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return f"install CPython {oldest} or newer there and name it: `python` in devices.toml"
