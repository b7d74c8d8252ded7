"""The stand-in for a phone itself, by adb's own commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from adb.phone import Phone


def adb(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["adb", *arguments], capture_output=True, text=True, check=False)


def test_adb_pushes_lists_and_pulls(phone: Phone, tmp_path: Path) -> None:
    assert "connected to" in adb("connect", phone.serial).stdout
    there = ["-s", phone.serial]
    for name, size in {"small": 5, "large": 3_000_000}.items():
        (tmp_path / name).write_bytes(os.urandom(size))
        pushed = adb(*there, "push", str(tmp_path / name), f"{phone.home_there}/sub/{name}")
        assert pushed.returncode == 0, pushed.stderr
    listed = adb(*there, "ls", f"{phone.home_there}/sub").stdout
    assert sorted(line.split()[-1] for line in listed.splitlines()) == ["large", "small"]
    for name in ("small", "large"):
        pulled = adb(*there, "pull", f"{phone.home_there}/sub/{name}", str(tmp_path / "back"))
        assert pulled.returncode == 0, pulled.stderr
        assert (tmp_path / "back").read_bytes() == (tmp_path / name).read_bytes()


def test_a_full_disk_and_a_forbidden_folder_refuse_a_push(phone: Phone, tmp_path: Path) -> None:
    adb("connect", phone.serial)
    there = ["-s", phone.serial]
    (tmp_path / "file").write_bytes(bytes(200_000))
    outside = adb(*there, "push", str(tmp_path / "file"), "/system/file")
    assert outside.returncode != 0
    assert "Permission denied" in outside.stdout + outside.stderr
    phone.faults.room = 100_000
    full = adb(*there, "push", str(tmp_path / "file"), f"{phone.home_there}/file")
    assert full.returncode != 0
    assert "No space left on device" in full.stdout + full.stderr


def test_the_shell_of_an_old_phone_spoils_line_ends(phone: Phone) -> None:
    """What the transport has to cope with is really so."""
    adb("connect", phone.serial)
    done = subprocess.run(
        ["adb", "-s", phone.serial, "shell", "echo line; exit 3"], capture_output=True, check=False
    )
    old = "shell_v2" not in adb("-s", phone.serial, "features").stdout
    assert (done.returncode, done.stdout) == ((0, b"line\r\n") if old else (3, b"line\n"))
