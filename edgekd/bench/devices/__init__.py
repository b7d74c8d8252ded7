"""Where numbers may come from.

A device is either this machine or not reachable: access by ssh and by adb each become a module
beside `local`, and an entry in `find_device`. Nothing else has to know about them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgekd.bench.measure.machine import device_tree_model, local_facts
from edgekd.errors import InputError
from edgekd.targets import load_target, target_names

__all__ = ["DeviceAccess", "check_device", "find_device", "runs_on"]

_MODELS = {"rpi": ("raspberry pi",), "jetson": ("jetson", "nvidia orin", "nvidia tegra")}


@dataclass(frozen=True)
class DeviceAccess:
    """A device on which something can be measured.

    Attributes:
        name: As the user calls it.
        kind: How it is reached; `local` is this machine.
        facts: What is known of it; reads it anew at each call (temperatures move).
    """

    name: str
    kind: str
    facts: Callable[[], dict[str, Any]]


def find_device(name: str) -> DeviceAccess | None:
    """The device of that name, or None where it is not configured.

    A target that any computer is, is this machine. `rpi` and `jetson` are this machine where its
    device tree says so.
    """
    if _is_any_computer(name) or _is_this_machine(name):
        return DeviceAccess(name, "local", local_facts)
    return None  # ssh (rpi, jetson) and adb (android) are looked up here


def runs_on(target: str, device: str) -> bool:
    """Whether bundles of a target can be measured on a device: both names mean one machine."""
    own, wanted = find_device(target), find_device(device)
    if own is None or wanted is None:
        return False
    return target == device or own.kind == wanted.kind == "local"


def check_device(name: str) -> str:
    """The name, if there is a target of that name.

    Raises:
        InputError: It is not.
    """
    if name not in target_names():
        hint = f"choose one of {', '.join(target_names())}"
        raise InputError(f"there is no device {name!r}", hint)
    return name


def _is_any_computer(name: str) -> bool:
    return name in target_names() and load_target(name).any_computer


def _is_this_machine(name: str) -> bool:
    model = (device_tree_model() or "").lower()
    return any(mark in model for mark in _MODELS.get(name, ()))
