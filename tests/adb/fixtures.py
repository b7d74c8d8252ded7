"""Fixtures: phones that a real adb speaks to, of a server of the tests' own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adb.phone import Phone
from edgekd.bench.devices.adb import AdbTransport


@pytest.fixture(scope="session")
def adb_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an adb server of these tests' own; a developer's is left alone."""
    if shutil.which("adb") is None:
        pytest.skip("there is no adb: apt install adb (or Android's platform-tools)")
    home = tmp_path_factory.mktemp("adb")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = {"ANDROID_ADB_SERVER_PORT": str(port), "HOME": str(home), "TMPDIR": str(home)}
    yield own
    subprocess.run(["adb", "kill-server"], env={**os.environ, **own}, check=False)


@pytest.fixture
def own_adb(adb_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """adb talks to the server of these tests."""
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    for name, value in adb_environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def new_phone(own_adb: None, tmp_path: Path) -> Iterator[Callable[..., Phone]]:
    """Makes phones; they are switched off in the end."""
    phones: list[Phone] = []

    def make(**settings: Any) -> Phone:
        phone = Phone(tmp_path / f"phone-{len(phones)}", **settings)
        phone.start()
        phones.append(phone)
        return phone

    yield make
    for phone in phones:
        subprocess.run(["adb", "disconnect", phone.serial], capture_output=True, check=False)
        phone.stop()


@pytest.fixture(params=["new", "old"])
def phone(request: pytest.FixtureRequest, new_phone: Callable[..., Phone]) -> Phone:
    """A phone of today, and one of Android 6."""
    return new_phone(old=request.param == "old")


@pytest.fixture
def transport(phone: Phone) -> AdbTransport:
    """The way to it."""
    return AdbTransport(phone.serial, folder=phone.home_there)
