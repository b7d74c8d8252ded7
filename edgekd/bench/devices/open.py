"""Opening the devices of devices.toml."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from edgekd.bench.devices.adb import AdbTransport
from edgekd.bench.devices.benchmark_model import BenchmarkModelSettings
from edgekd.bench.devices.board import RemoteDevice
from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.config import (
    AdbConfig,
    ConfiguredDevice,
    SshConfig,
    find_configured,
)
from edgekd.bench.devices.phone import PhoneDevice
from edgekd.bench.devices.ssh import SshTransport
from edgekd.bench.devices.transport import Transport

__all__ = ["open_configured", "transport_of"]


def open_configured(
    name: str, *, wheelhouse: Path | None = None
) -> RemoteDevice | PhoneDevice | None:
    """The configured device of that name; None where there is none.

    Nothing is sent before a method of the device is called.

    Raises:
        InputError: devices.toml is wrong.
    """
    configured = find_configured(name)
    if configured is None:
        return None
    transport, config = transport_of(configured), configured.config
    if isinstance(config, AdbConfig) and config.benchmark_model is not None:
        python = _by_python(configured, transport, wheelhouse) if config.python else None
        settings = BenchmarkModelSettings(
            config.benchmark_model,
            config.folder,
            push=config.push,
            accelerator=config.accelerator,
            options=tuple(config.options),
        )
        return PhoneDevice(
            configured.name, (configured.target,), transport, settings, python=python
        )
    return _by_python(configured, transport, wheelhouse)


def _by_python(
    configured: ConfiguredDevice, transport: Transport, wheelhouse: Path | None
) -> RemoteDevice:
    return RemoteDevice(
        configured.name,
        configured.kind,
        (configured.target,),
        transport,
        python=configured.config.python or "python3",
        folder=configured.config.folder,
        wheelhouse=wheelhouse,
    )


def transport_of(configured: ConfiguredDevice) -> Transport:
    """The link to a configured device."""
    config = configured.config
    if isinstance(config, SshConfig):
        return SshTransport(config.host, config.options)
    if isinstance(config, AdbConfig):
        return AdbTransport(config.serial, folder=str(PurePosixPath(config.folder).parent))
    return CommandTransport(f"emulated {config.board}", config.enter)
