"""A device of devices.toml, by the way that it is reached."""

from __future__ import annotations

from pathlib import Path

from edgekd.bench.devices.adb import AdbTransport
from edgekd.bench.devices.board import RemoteDevice
from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.config import (
    AdbConfig,
    ConfiguredDevice,
    SshConfig,
    find_configured,
)
from edgekd.bench.devices.ssh import SshTransport
from edgekd.bench.devices.transport import Transport

__all__ = ["open_configured", "transport_of"]


def open_configured(name: str, *, wheelhouse: Path | None = None) -> RemoteDevice | None:
    """The configured device of that name, or None where there is none.

    Nothing is sent before it is asked for something.

    Raises:
        InputError: devices.toml is wrong.
    """
    found = find_configured(name)
    if found is None:
        return None
    return RemoteDevice(
        found.name,
        found.kind,
        (found.target,),
        transport_of(found),
        python=found.config.python or "python3",
        folder=found.config.folder,
        wheelhouse=wheelhouse,
    )


def transport_of(found: ConfiguredDevice) -> Transport:
    """The link to a configured device."""
    config = found.config
    if isinstance(config, SshConfig):
        return SshTransport(config.host, config.options)
    if isinstance(config, AdbConfig):
        return AdbTransport(config.serial)
    return CommandTransport(f"emulated {config.board}", config.enter)
