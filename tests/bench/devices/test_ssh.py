"""The link itself: exit codes, broken connections, copies that go on."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from emulation.sshd import Sshd

from edgekd.bench.devices.ssh import SshTransport
from edgekd.bench.devices.transport import (
    DeviceRefusedError,
    DeviceSilentError,
    quoted_path,
)
from edgekd.errors import DeviceUnreachableError


def test_a_command_has_its_input_output_and_exit_code(link: SshTransport) -> None:
    done = link.run("cat; echo no >&2; exit 7", stdin=b"nevus\0\n")
    assert done == (7, b"nevus\0\n", b"no\n")
    assert done.last_line == "no"
    assert link.run("read line || echo nothing").stdout == b"nothing\n"


@pytest.mark.parametrize("command, code", [("exit 255", 254), ("kill -9 $$", 137)])
def test_a_command_that_fails_is_no_broken_link(
    link: SshTransport, command: str, code: int
) -> None:
    assert link.run(command).code == code


def test_commands_share_one_connection(link: SshTransport, sshd: Sshd) -> None:
    parents = {link.run("cut -d' ' -f4 /proc/$PPID/stat").stdout for _ in range(3)}
    assert len(parents) == 1


def test_a_lost_connection_is_told_and_the_next_command_connects_anew(
    link: SshTransport, sshd: Sshd
) -> None:
    assert link.run("true").code == 0
    cutter = threading.Timer(0.5, sshd.cut)
    cutter.start()
    with pytest.raises(DeviceUnreachableError, match="ssh board: ") as lost:
        link.run("sleep 20")
    cutter.join()
    assert not isinstance(lost.value, DeviceRefusedError)
    assert "-F" in lost.value.hint
    assert link.run("echo back").stdout == b"back\n"


def test_a_command_that_does_not_end_is_given_up(link: SshTransport) -> None:
    begin = time.monotonic()
    with pytest.raises(DeviceSilentError, match="did not answer within 1 s"):
        link.run("sleep 20", timeout=1.0)
    assert time.monotonic() - begin < 15
    assert link.run("echo still").stdout == b"still\n"


def test_a_board_that_does_not_exist_is_told_in_sshs_own_words() -> None:
    link = SshTransport("no-such-board.invalid", ["-F", "/dev/null"])
    with pytest.raises(DeviceRefusedError, match="resolve hostname") as refused:
        link.run("true")
    assert refused.value.exit_code == 5
    assert "no-such-board.invalid" in refused.value.hint
    link.close()


def test_a_closed_port_is_worth_another_try(sshd: Sshd) -> None:
    link = SshTransport("127.0.0.1", ["-F", "/dev/null", "-p", "1"])
    with pytest.raises(DeviceUnreachableError, match="refused") as lost:
        link.run("true")
    assert not isinstance(lost.value, DeviceRefusedError)
    link.close()


def test_a_wrong_key_does_not_ask_for_a_password(sshd: Sshd, tmp_path: Path) -> None:
    link = SshTransport(sshd.host, ["-o", "IdentityFile=/dev/null", "-F", _keyless(sshd, tmp_path)])
    with pytest.raises(DeviceRefusedError, match="Permission denied"):
        link.run("true")
    link.close()


def _keyless(sshd: Sshd, tmp_path: Path) -> str:
    lines = (sshd.folder / "client").read_text().splitlines(keepends=True)
    file = tmp_path / "client"
    file.write_text("".join(line for line in lines if "IdentityFile" not in line))
    return str(file)


def test_a_file_arrives_and_only_its_missing_tail_is_sent(
    link: SshTransport, tmp_path: Path
) -> None:
    content = os.urandom(200_001)
    (tmp_path / "file").write_bytes(content)
    there = tmp_path / "there it's"
    there.write_bytes(content[:150_000])
    steps: list[tuple[int, int]] = []
    link.send(tmp_path / "file", str(there), lambda done, size: steps.append((done, size)))
    assert there.read_bytes() == content
    assert steps[0] == (200_001, 200_001)  # one block of what was missing
    link.send(tmp_path / "file", str(there), lambda done, size: steps.append((done, size)))
    assert len(steps) == 1


def test_what_is_longer_than_the_file_is_begun_anew(link: SshTransport, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"short")
    (tmp_path / "there").write_bytes(b"something longer")
    link.send(tmp_path / "file", str(tmp_path / "there"))
    assert (tmp_path / "there").read_bytes() == b"short"


def test_a_copy_that_is_cut_goes_on_from_where_it_was(
    link: SshTransport, sshd: Sshd, tmp_path: Path
) -> None:
    content = os.urandom(1 << 20) * 48
    (tmp_path / "file").write_bytes(content)
    there = tmp_path / "there"

    def cut(done: int, size: int) -> None:
        if size // 2 <= done < size // 2 + (1 << 16):
            assert sshd.cut() > 0

    with pytest.raises(DeviceUnreachableError):
        link.send(tmp_path / "file", str(there), cut)
    arrived = there.stat().st_size
    assert 0 < arrived < len(content)
    steps: list[int] = []
    link.send(tmp_path / "file", str(there), lambda done, size: steps.append(done))
    assert steps[0] >= arrived
    assert there.read_bytes() == content


def test_a_folder_that_is_not_there_is_told(link: SshTransport, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DeviceUnreachableError, match=r"cannot write: .*there"):
        link.send(tmp_path / "file", str(tmp_path / "missing" / "there"))


@pytest.mark.parametrize(
    "path, quoted",
    [("~/a b", "\"$HOME\"/'a b'"), ("/a/~b$c", "'/a/~b$c'"), ("~", '"$HOME"'), ("~x", "'~x'")],
)
def test_only_the_home_is_expanded_there(link: SshTransport, path: str, quoted: str) -> None:
    assert quoted_path(path) == quoted
    expected = path.replace("~", os.environ["HOME"], 1) if path[:2] in ("~", "~/") else path
    assert link.run(f"printf %s {quoted}").stdout.decode() == expected


def test_closing_ends_the_shared_connection(sshd: Sshd) -> None:
    before = set(sshd.connections())
    link = SshTransport(sshd.host, sshd.options)
    link.run("true")
    (own,) = set(sshd.connections()) - before
    link.close()
    link.close()
    waits = 0
    while own in sshd.connections():
        waits += 1
        assert waits < 500, "the connection is still there"
        time.sleep(0.02)
