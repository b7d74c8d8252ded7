"""devices.toml: where it is looked for, what it may say, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.bench.devices.config import (
    AdbConfig,
    EmulatedConfig,
    SshConfig,
    configured_names,
    find_configured,
    how_to_add,
)
from edgekd.errors import InputError

PI = '[rpi]\nkind = "ssh"\nhost = "pi@derm-1"\n'


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGEKD_DEVICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_the_three_kinds(tmp_path: Path) -> None:
    text = PI + '[phone]\ntarget = "android"\nkind = "adb"\nserial = "emulator-5554"\n'
    text += '[pi5]\ntarget = "rpi"\nkind = "emulated"\nboard = "rpi5"\nenter = ["/x/enter"]\n'
    (tmp_path / "devices.toml").write_text(text)
    assert configured_names() == ["phone", "pi5", "rpi"]
    pi = find_configured("rpi")
    assert pi.config == SshConfig(host="pi@derm-1")
    assert (pi.kind, pi.target, pi.config.python) == ("ssh", "rpi", "python3")
    phone = find_configured("phone")
    assert phone.config == AdbConfig(serial="emulator-5554", target="android")
    assert (phone.kind, phone.target) == ("adb", "android")
    assert find_configured("pi5").config == EmulatedConfig(
        board="rpi5", enter=["/x/enter"], target="rpi"
    )
    assert find_configured("jetson") is None


def test_the_first_file_that_has_it_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, own = tmp_path / "lab.toml", tmp_path / "config/edgekd/devices.toml"
    own.parent.mkdir(parents=True)
    own.write_text(PI.replace("derm-1", "own") + '[jetson]\nkind = "ssh"\nhost = "orin"\n')
    assert find_configured("rpi").config.host == "pi@own"
    named.write_text(PI.replace("derm-1", "lab"))
    monkeypatch.setenv("EDGEKD_DEVICES", str(named))
    assert find_configured("rpi").config.host == "pi@lab"
    (tmp_path / "devices.toml").write_text(PI)
    assert find_configured("rpi").config.host == "pi@derm-1"
    assert find_configured("jetson").file == own


@pytest.mark.parametrize(
    "text, message",
    [
        ("[rpi\n", "cannot be read: .*line 1"),
        ('[rpi]\nkind = "telnet"\n', r"\[rpi\].*telnet"),
        ('[rpi]\nkind = "ssh"\n', r"\[rpi\].*`host`"),
        ('[rpi]\nkind = "ssh"\nhost = 3\n', r"\[rpi\].*\$\.host"),
        ('[rpi]\nkind = "ssh"\nhost = "-oProxyCommand=evil"\n', r"\[rpi\].*\$\.host"),
        (PI + "port = 22\n", r"\[rpi\].*`port`"),
        ('rpi = "pi@derm-1"\n', r"\[rpi\]"),
        ('[rpi]\nkind = "adb"\nserial = ""\n', r"\[rpi\].*\$\.serial"),
        ('[rpi]\nkind = "adb"\nserial = "x"\npush = true\n', r"\[rpi\].*benchmark_model"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "devices.toml").write_text(text)
    with pytest.raises(InputError, match=message) as wrong:
        find_configured("rpi")
    assert wrong.value.message.startswith("devices.toml")
    assert wrong.value.hint


def test_a_name_that_is_no_target_needs_one(tmp_path: Path) -> None:
    (tmp_path / "devices.toml").write_text(PI.replace("[rpi]", "[ward-3]"))
    with pytest.raises(InputError, match="no target 'ward-3'") as wrong:
        find_configured("ward-3")
    assert 'target = "' in wrong.value.hint


def test_a_variable_that_names_no_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKD_DEVICES", "gone.toml")
    with pytest.raises(InputError, match=r"EDGEKD_DEVICES names gone\.toml"):
        configured_names()


def test_how_to_add_one_can_be_followed(tmp_path: Path) -> None:
    section, keys = how_to_add("rpi").split("a key a line: ")[1].split(" (or")[0].split("] ")
    lines = [f"{section}]", *keys.split(", ")]
    (tmp_path / "devices.toml").write_text("\n".join(lines))
    assert find_configured("rpi").config == SshConfig(host="user@address")
