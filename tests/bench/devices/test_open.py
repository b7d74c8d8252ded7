"""Devices of devices.toml are opened by the way that they are reached; nothing is sent."""

from __future__ import annotations

import os

import pytest

from edgekd.bench.devices.adb import AdbTransport
from edgekd.bench.devices.board import RemoteDevice
from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.config import find_configured
from edgekd.bench.devices.open import open_configured, transport_of
from edgekd.bench.devices.phone import PhoneDevice

DEVICES = """
[derm-1]
kind = "ssh"
host = "pi@nowhere.invalid"
target = "rpi"

[phone]
kind = "adb"
serial = "nothing"
target = "android"
benchmark_model = "/data/local/tmp/benchmark_model"

[imitated]
kind = "emulated"
board = "rpi4"
enter = ["env"]
target = "rpi"
"""


@pytest.fixture(autouse=True)
def devices(tmp_path, monkeypatch):
    file = tmp_path / "devices.toml"
    file.write_text(DEVICES)
    monkeypatch.setenv("EDGEKD_DEVICES", str(file))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adb").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("name", "kind", "device", "link"),
    [
        ("derm-1", "ssh", RemoteDevice, CommandTransport),
        ("phone", "adb", PhoneDevice, AdbTransport),
        ("imitated", "emulated", RemoteDevice, CommandTransport),
    ],
)
def test_each_kind(name, kind, device, link) -> None:
    opened = open_configured(name)
    assert isinstance(opened, device)
    assert (opened.name, opened.kind) == (name, kind)
    configured = find_configured(name)
    assert isinstance(transport_of(configured), link)


def test_a_name_that_no_file_has() -> None:
    assert open_configured("derm-2") is None
