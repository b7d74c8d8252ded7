"""Devices that are measured: this machine, its Chromium, or a board by ssh, by adb or emulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from edgekd.bench.devices.browser import BrowserDevice
from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.job import Answer, Job
from edgekd.bench.measure.machine import device_tree_model
from edgekd.errors import InputError
from edgekd.targets import TARGETS, load_target, target_names

__all__ = ["Device", "check_device", "find_device", "is_any_computer", "runs_on", "target_of"]


class Device(Protocol):
    """A device on which something can be measured."""

    @property
    def name(self) -> str:
        """Name of the device, as the user wrote it."""

    @property
    def kind(self) -> str:
        """How the device is reached: `local`, `browser`, `ssh`, `adb` or `emulated`."""

    @property
    def emulated(self) -> bool:
        """Whether the processor is emulated: its answers are valid, its times are not."""

    @property
    def identity(self) -> str:
        """Distinguishes devices of one name: how the device is reached, and what runs on it."""

    @property
    def decides(self) -> bool:
        """Whether edgekd's runtime runs on the device, so that it can compute answers."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets whose bundles run on the device."""

    def facts(self) -> dict[str, Any]:
        """Facts of the device, read at every call, since temperatures change.

        Raises:
            DeviceUnreachableError: It does not answer.
        """

    def prepare(
        self, bundles: Sequence[Path], images: Sequence[Path], say: Callable[[str], None]
    ) -> None:
        """Copy bundles and images of later jobs to the device; `say` gets lines of progress.

        Raises:
            DeviceUnreachableError: It does not answer, or has no room.
            MissingDependencyError: A package is missing there.
        """

    def run(self, job: Job) -> Answer:
        """Run a job in a fresh process on the device. Paths in the job are those of this machine.

        Raises:
            DeviceUnreachableError: It does not answer any more.
            WorkerError: The process died.
            EdgekdError: The process refused the job.
        """

    def close(self) -> None:
        """Close the connection."""


def find_device(name: str, *, wheelhouse: Path | None = None) -> Device | None:
    """The device of that name; None where it is neither this machine nor configured.

    This machine is the device of every target that any computer can be, and of a target whose
    `board_models` contain the board of this machine's device tree. Its Chromium is the device of a
    target whose bundles run in the page. Other names are sections of devices.toml.

    Args:
        name: A target's name, or a section of devices.toml.
        wheelhouse: Wheels for a board that lacks packages and has no network.

    Raises:
        InputError: devices.toml is wrong.
    """
    if is_any_computer(name) or _is_this_machine(name):
        return LocalDevice(name)
    if _is_page(name):
        return BrowserDevice(name)
    from edgekd.bench.devices.open import open_configured

    return open_configured(name, wheelhouse=wheelhouse)


def runs_on(target: str, device: Device | None) -> bool:
    """Whether bundles of a target can be measured on a device.

    That is the case where the device is configured for the target, or where both stand for any
    computer, or both for this machine.
    """
    if device is None:
        return False
    if target in device.targets or is_any_computer(target):
        return True
    return device.kind == "local" and _is_this_machine(target)


def target_of(name: str) -> str:
    """The target whose bundles run on the device of that name, as `find_device` finds it.

    Raises:
        InputError: devices.toml is wrong.
    """
    if is_any_computer(name) or _is_this_machine(name) or _is_page(name):
        return name
    from edgekd.bench.devices.config import find_configured

    configured = find_configured(name)
    return name if configured is None else configured.target


def check_device(name: str) -> str:
    """Check that a target or a configured device has that name, and return it.

    Raises:
        InputError: There is none.
    """
    if name in target_names():
        return name
    from edgekd.bench.devices.config import configured_names

    names = configured_names()
    if name in names:
        return name
    hint = f"choose one of {', '.join(target_names())}, or a section of devices.toml"
    if names:
        hint += f" ({', '.join(names)})"
    raise InputError(f"there is no device {name!r}", hint)


def is_any_computer(name: str) -> bool:
    """Whether every computer is a device of that target."""
    return name in target_names() and load_target(name).any_computer


def _is_page(name: str) -> bool:
    return name in target_names() and load_target(name).page


def _is_this_machine(name: str) -> bool:
    model = (device_tree_model() or "").lower()
    return name in TARGETS and any(part in model for part in load_target(name).board_models)
