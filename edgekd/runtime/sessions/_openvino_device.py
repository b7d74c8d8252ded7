"""OpenVINO's devices: choosing one by name, its settings, and whether it was obtained."""

from __future__ import annotations

import re
from typing import Any

from edgekd.runtime.sessions._engine import Shortfall, last_line

__all__ = [
    "choose_device",
    "device_refused",
    "device_shortfall",
    "executing",
    "obtained",
    "settings_for",
]

_CHOOSERS = {"AUTO", "BATCH", "HETERO", "MULTI"}
"""Virtual devices, whose name precedes a list of devices that they choose from."""

_ON_CPU = "the file runs on the CPU"


def choose_device(core: Any, requested: str | None) -> tuple[str, Shortfall | None]:
    """The device to compile for, and the shortfall where it is not the requested one."""
    word = requested or "CPU"
    device = word.upper() if word.lower() in ("cpu", "gpu", "npu") else word
    if device == "CPU":
        return device, None
    available = list(core.available_devices)
    if all(_is_there(name, available) for name in _named(device)):
        return device, None
    offered = ", ".join(available)
    problem = f"{device} was requested, but OpenVINO sees only {offered}"
    hint = f"request one of {offered}, or install the device's driver"
    return "CPU", Shortfall(problem, _ON_CPU, hint)


def settings_for(
    core: Any, device: str, threads: int | None, precision: str
) -> dict[str, str | int]:
    """Settings for lowest latency of one image, without those that the device does not support."""
    settings: dict[str, str | int] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": precision,
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    if device == "CPU" or device.partition(":")[0] in _CHOOSERS:
        return settings  # virtual devices pass them on
    known = core.get_property(device, "SUPPORTED_PROPERTIES")
    return {key: value for key, value in settings.items() if known.get(key) == "RW"}


def device_refused(device: str, error: BaseException) -> Shortfall:
    """The shortfall where the device exists but cannot compile the file."""
    problem = f"{device} was requested, but OpenVINO cannot compile for it: {last_line(error)}"
    return Shortfall(problem, _ON_CPU, "check the device's driver, or build the file for it")


def device_shortfall(compiled: Any, device: str) -> Shortfall | None:
    """The shortfall where other devices than the requested one run the file, or None.

    AUTO and MULTI choose for themselves, and AUTO starts on the CPU while a slower compiler works.
    """
    chooser = device.partition(":")[0]
    running = executing(compiled)
    if chooser in ("AUTO", "MULTI") or not _named(device):
        return None
    if all(_is_there(name, running) for name in _named(device)[:1]):
        return None
    problem = f"{device} was requested, but OpenVINO runs the file on {', '.join(running)}"
    return Shortfall(problem, "it runs there", "check the device's driver")


def executing(compiled: Any) -> list[str]:
    """Names of the devices that run a compiled model."""
    try:
        return [str(name).strip("()") for name in compiled.get_property("EXECUTION_DEVICES")]
    except RuntimeError:
        return []


def obtained(compiled: Any, key: str) -> str | int | None:
    """A setting of the compiled model; for AUTO and the like, that of the device it runs on."""
    try:
        value = compiled.get_property(key)
    except RuntimeError:
        value = _of_inner_device(compiled, key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value if value is None else int(value)
    return str(getattr(value, "to_string", lambda: value)()).rpartition(".")[2]


def _of_inner_device(compiled: Any, key: str) -> Any:
    try:
        devices = compiled.get_property("DEVICE_PROPERTIES")
    except RuntimeError:
        return None  # an older OpenVINO, or a plugin without that property
    return next((known[key] for known in devices.values() if key in known), None)


def _named(device: str) -> list[str]:
    """The devices in a name such as `HETERO:GPU.0,CPU`, without excluded ones (`-GPU`)."""
    chooser, _, listed = device.rpartition(":")
    if not chooser and listed in _CHOOSERS:
        return []
    names = [re.sub(r"\(.*\)", "", name).strip() for name in listed.split(",")]
    return [name for name in names if name and not name.startswith("-")]


def _is_there(name: str, names: list[str]) -> bool:
    return any(one == name or one.startswith(f"{name}.") for one in names)
