"""This machine as a board: reached by a real ssh over a real sshd on loopback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adb.fixtures import adb_environment, new_phone, own_adb, phone, transport
from emulation.missing import MissingError
from emulation.sshd import Sshd, running_sshd

from edgekd.bench.devices.board import RemoteDevice
from edgekd.bench.devices.ssh import SshTransport

__all__ = ["adb_environment", "new_phone", "own_adb", "phone", "transport"]

MakeDevice = Callable[..., RemoteDevice]


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    try:
        with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
            yield server
    except MissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def link(sshd: Sshd) -> Iterator[SshTransport]:
    transport = SshTransport(sshd.host, sshd.options)
    yield transport
    transport.close()


@pytest.fixture
def make_device(sshd: Sshd, tmp_path: Path) -> Iterator[MakeDevice]:
    """Devices whose board is this machine, with this Python and a folder of their own."""
    made = []

    def make(**options) -> RemoteDevice:
        settings = {"python": sys.executable, "folder": str(tmp_path / "board")} | options
        transport = SshTransport(sshd.host, sshd.options)
        device = RemoteDevice("rpi", "ssh", ("rpi",), transport, pauses=(0.05, 0.1), **settings)
        made.append(device)
        return device

    yield make
    for device in made:
        device.close()
