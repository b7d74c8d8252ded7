"""A phone whose commands are real aarch64 machine code: Termux's Python, as it were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from emulation.board import Board
from emulation.missing import MissingError
from emulation.userland import open_userland

from adb.phone import Phone
from edgekd.bench.devices.adb import WRITABLE, AdbTransport
from edgekd.bench.devices.android import android_facts
from edgekd.bench.devices.board import RemoteDevice


@pytest.fixture
def arm64_phone(
    request: pytest.FixtureRequest, new_phone: Callable[..., Phone], tmp_path: Path
) -> Phone:
    if "emulated" not in request.config.option.markexpr:
        pytest.skip("`make emulated` runs it (it fetches an arm64 userland)")
    try:
        board = Board(open_userland(), "rpi5", tmp_path / "board", home=WRITABLE)
    except MissingError as missing:
        pytest.skip(f"no emulated board: {missing}")
    return new_phone(enter=[str(board.enter)], home=board.home, home_there=board.home_there)


@pytest.mark.emulated
def test_the_same_way_leads_into_an_arm64_userland(arm64_phone: Phone, tmp_path: Path) -> None:
    transport = AdbTransport(arm64_phone.serial)
    assert transport.run("uname -m; pwd; exit 4") == (4, f"aarch64\n{WRITABLE}\n".encode(), b"")
    (tmp_path / "file").write_bytes(bytes(range(256)) * 20_000)
    transport.send(tmp_path / "file", f"{WRITABLE}/file")
    assert (arm64_phone.home / "file").read_bytes() == (tmp_path / "file").read_bytes()
    facts = android_facts(transport)
    assert (facts["machine"], facts["cores"]) == ("aarch64", 4)


@pytest.mark.emulated
def test_a_python_there_makes_it_a_board_like_any_other(arm64_phone: Phone) -> None:
    device = RemoteDevice(
        "android",
        "adb",
        ("android",),
        AdbTransport(arm64_phone.serial),
        folder=f"{WRITABLE}/edgekd",
    )
    facts = device.board()
    assert facts.machine == "aarch64"
    device.close()
