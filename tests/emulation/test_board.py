"""The stand-in for a board itself: what a shell, an sshd or an adbd will find."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from emulation.board import Board
from emulation.missing import MissingError, check_machine
from emulation.profiles import PROFILES, write_files
from emulation.userland import Userland

Boards = Callable[[str], Board]
emulated = pytest.mark.emulated


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_its_core(tmp_path: Path, name: str) -> None:
    write_files(PROFILES[name], tmp_path)
    cpuinfo = (tmp_path / "cpuinfo").read_text()
    assert cpuinfo.count("processor\t:") == 4
    assert "Model\t\t: qemu-user stand-in" in cpuinfo
    parts = {"rpi4": "0xd08", "rpi5": "0xd0b", "jetson-nano": "0xd07", "max": "0xd0b"}
    assert cpuinfo.count("CPU implementer\t: 0x41\n") == 4
    assert cpuinfo.count(f"CPU part\t: {parts[name]}\n") == 4


def test_what_is_missing_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingError, match=r"x86-64 Linux|no unshare: install util-linux"):
        check_machine()


@emulated
@pytest.mark.parametrize("name", ["rpi4", "rpi5", "jetson-nano"])
def test_a_board_is_aarch64_and_admits_to_be_none(board: Boards, name: str) -> None:
    say = "uname -m; uname -n; tail -n 1 /proc/cpuinfo; cat /sys/firmware/devicetree/base/model"
    lines = board(name).run(["sh", "-c", say], check=True).stdout.splitlines()
    profile = PROFILES[name]
    assert lines[:2] == ["aarch64", profile.hostname]
    assert lines[2] == f"Model\t\t: {profile.model}"
    assert lines[3] == f"{profile.model}\0"


@emulated
def test_shells_pipes_input_and_exit_status_work(board: Boards) -> None:
    script = "read line; echo \"$line\" | tr a-z A-Z; echo no >&2; python3 -c 'raise SystemExit(7)'"
    done = board("rpi4").run(["bash", "-c", script], input="nevus\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "NEVUS\n", "no\n")


@emulated
def test_a_child_keeps_the_cpu_and_no_setting_of_this_machine(
    board: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/the/host")
    code = "import subprocess; subprocess.run('env', shell=True, check=True)"
    environment = board("rpi5").run(["python3", "-c", code], env={"A": "b c"}, check=True).stdout
    assert {"QEMU_CPU=cortex-a76", "HOME=/root", "A=b c"} <= set(environment.splitlines())
    assert "/of/the/host" not in environment


@emulated
def test_files_go_in_and_come_out(board: Boards, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("text")
    stand_in = board("rpi4")
    there = stand_in.copy_in(tmp_path / "folder", "deep/folder")
    assert there.endswith("/deep/folder")
    stand_in.run(["cp", f"{there}/file", "out"], check=True)
    assert (stand_in.home / "out").read_text() == "text"


@emulated
def test_what_is_shared_cannot_be_written(board: Boards) -> None:
    done = board("rpi4").run(["touch", "/opt/litert/x"])
    assert done.returncode != 0
    assert not (board("rpi4").userland.rootfs / "opt/litert/x").exists()


@emulated
def test_a_board_leaves_no_trace_on_this_machine(board: Boards) -> None:
    table = Path("/proc/sys/fs/binfmt_misc")
    before, mounts = sorted(table.iterdir()), Path("/proc/self/mountinfo").read_text()
    board("rpi4").run(["true"], check=True)
    assert sorted(table.iterdir()) == before
    assert Path("/proc/self/mountinfo").read_text() == mounts


@emulated
def test_a_login_program_runs_what_it_is_given_in_its_home(
    userland: Userland, tmp_path: Path
) -> None:
    phone = Board(userland, "rpi5", tmp_path, home="/data/local/tmp")
    command = [str(phone.enter), "sh", "-c", "pwd; echo hello >file"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "/data/local/tmp\n"
    assert (phone.home / "file").read_text() == "hello\n"


@emulated
def test_an_ordinary_copy_of_scp_and_sftp_is_there(board: Boards) -> None:
    find = "test -x /usr/lib/openssh/sftp-server && command -v scp"
    assert board("rpi4").run(["sh", "-c", find], check=True).stdout == "/usr/bin/scp\n"
