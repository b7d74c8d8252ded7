"""Facts of a phone by shell commands: no Python is needed there, nothing is changed.

Facts that cannot be read are left out. Phones differ in what they show: since Android 8, SELinux
hides `/sys/class/thermal` from adb on most, and `dumpsys` is used instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekd.bench.devices.transport import Transport

__all__ = ["android_facts"]

_MARK = "== edgekd "
_CPU = "/sys/devices/system/cpu/cpu"
_QUESTIONS = {
    "properties": "getprop",
    "cpuinfo": "cat /proc/cpuinfo",
    "meminfo": "cat /proc/meminfo",
    "kernel": "uname -s -r -m",
    "governors": f"cat {_CPU}[0-9]*/cpufreq/scaling_governor",
    "max_khz": f"cat {_CPU}[0-9]*/cpufreq/cpuinfo_max_freq",
    "now_khz": f"cat {_CPU}[0-9]*/cpufreq/scaling_cur_freq",
    "thermal": "dumpsys thermalservice",
    "zones": "for zone in /sys/class/thermal/thermal_zone*; do "
    'echo "$(cat $zone/type) $(cat $zone/temp)"; done',
    "battery": "dumpsys battery",
}
_THROTTLING = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Android's PowerManager.THERMAL_STATUS_*, by number."""

_READING = re.compile(r"Temperature\{mValue=([-\d.]+), mType=(-?\d+), mName=([^,}]+)")
_NO_TEMPERATURES = ("6", "7", "8")
"""Types of readings that are no temperatures: a battery's voltage, current and charge."""

_CURRENT = "Current temperatures from HAL:"


def android_facts(transport: Transport) -> dict[str, Any]:
    """Facts of a phone, under the same names as those of other machines.

    Returns:
        As far as they can be read: `model`, `soc`, `system` (the Android version), `abis`,
        `cpu`, `machine`, `kernel`, `cores`, `ram_bytes`, `governor` (of all cores), `max_khz`
        and `now_khz` (of the fastest core), `temperatures_c` by sensor, `throttling` (Android's
        own word), `battery_percent`, `charging`, `virtual_machine` (an emulator).

    Raises:
        DeviceUnreachableError: It does not answer.
    """
    parts = [f"echo '{_MARK}{name}'; {command}" for name, command in _QUESTIONS.items()]
    output = transport.run("{ " + "; ".join(parts) + "; } 2>/dev/null").stdout
    answers = _sections(output.decode(errors="replace"))
    properties = dict(re.findall(r"\[(.+?)\]: \[(.*?)\]", answers["properties"]))
    facts = {
        **_identity(properties),
        **_processor(answers),
        **_power(answers),
        "temperatures_c": _temperatures(answers),
    }
    return {name: value for name, value in facts.items() if value not in (None, "", {}, [])}


def _sections(text: str) -> dict[str, str]:
    answers = dict.fromkeys(_QUESTIONS, "")
    for part in text.split(_MARK)[1:]:
        name, _, answer = part.partition("\n")
        answers[name] = answer
    return answers


def _identity(properties: dict[str, str]) -> dict[str, Any]:
    def first(*names: str) -> str:
        return next((properties[name] for name in names if properties.get(name)), "")

    release, level = first("ro.build.version.release"), first("ro.build.version.sdk")
    maker, model = first("ro.product.manufacturer"), first("ro.product.model")
    soc = " ".join(properties.get(f"ro.soc.{name}", "") for name in ("manufacturer", "model"))
    return {
        "model": f"{maker} {model}".strip(),
        # ro.soc.* exists since Android 12.
        "soc": soc.strip() or first("ro.board.platform", "ro.hardware"),
        "system": f"Android {release} (API {level})" if release else "",
        "build": first("ro.build.fingerprint"),
        "abis": first("ro.product.cpu.abilist", "ro.product.cpu.abi").split(","),
        "virtual_machine": first("ro.kernel.qemu", "ro.boot.qemu") == "1" or None,
    }


def _processor(answers: dict[str, str]) -> dict[str, Any]:
    system, release, machine = ([*answers["kernel"].split(), "", "", ""])[:3]
    governors = list(dict.fromkeys(answers["governors"].split()))
    memory = re.search(r"^MemTotal:\s*(\d+) kB", answers["meminfo"], re.MULTILINE)
    return {
        "cpu": _field(answers["cpuinfo"], "Hardware") or _field(answers["cpuinfo"], "model name"),
        "machine": machine,
        "kernel": f"{system} {release}".strip(),
        "cores": len(re.findall(r"^processor\s*:", answers["cpuinfo"], re.MULTILINE)) or None,
        "ram_bytes": int(memory[1]) * 1024 if memory else None,
        "governor": ", ".join(governors),
        "max_khz": _largest(answers["max_khz"]),
        "now_khz": _largest(answers["now_khz"]),
    }


def _power(answers: dict[str, str]) -> dict[str, Any]:
    level = _field(answers["battery"], "level")
    powered = re.findall(r"powered: (true|false)", answers["battery"])
    status = _field(answers["thermal"], "Thermal Status")
    known = status.isdigit() and int(status) < len(_THROTTLING)
    return {
        "battery_percent": int(level) if level.isdigit() else None,
        "charging": "true" in powered if powered else None,
        "throttling": _THROTTLING[int(status)] if known else status,
    }


def _temperatures(answers: dict[str, str]) -> dict[str, float]:
    """Degrees Celsius by sensor: Android's own readings, else the kernel's; and the battery's."""
    zones, sensors = {}, dict[str, float]()
    for line in answers["zones"].splitlines():
        name, _, value = line.strip().rpartition(" ")
        if name and re.fullmatch(r"-?\d+", value):
            zones[name] = int(value) / 1000
    # The readings before "Current" are those of the last event, which may be hours old.
    current = answers["thermal"].partition(_CURRENT)[2] or answers["thermal"]
    readings = _READING.findall(current)
    for value, kind, name in readings:
        if kind not in _NO_TEMPERATURES:
            sensors[name] = float(value)
    battery = _field(answers["battery"], "temperature")
    if battery.lstrip("-").isdigit():
        sensors.setdefault("battery", int(battery) / 10)
    return zones | sensors


def _field(text: str, name: str) -> str:
    """Value of the first line `name: value`; empty without one."""
    match = re.search(rf"^\s*{re.escape(name)}\s*:\s*(.*)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def _largest(text: str) -> int | None:
    return max((int(word) for word in text.split() if word.isdigit()), default=None)
