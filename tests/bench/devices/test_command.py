"""A connection that is a command, here `env`: what follows it runs on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.transport import DeviceSilentError

LINK = CommandTransport("env here", ["env", "COLOUR=red"])


def test_input_output_errors_and_exit_code() -> None:
    done = LINK.run('cat; echo "$COLOUR" >&2; exit 3', stdin=b"\x00\xff")
    assert (done.code, done.stdout, done.stderr) == (3, b"\x00\xff", b"red\n")


def test_a_command_that_does_not_end() -> None:
    with pytest.raises(DeviceSilentError, match=r"env here did not answer within 0 s"):
        LINK.run("sleep 5", timeout=0.2)


def test_a_file_is_appended_from_where_it_ends(tmp_path: Path) -> None:
    content, remote = tmp_path / "content", tmp_path / "it's there"
    content.write_bytes(bytes(range(256)) * 400)
    remote.write_bytes(content.read_bytes()[:1000])
    steps: list[tuple[int, int]] = []
    LINK.send(content, str(remote), lambda done, total: steps.append((done, total)))
    assert remote.read_bytes() == content.read_bytes()
    assert steps[-1] == (102_400, 102_400)
    remote.write_bytes(content.read_bytes() + b"more")
    LINK.send(content, str(remote))
    assert remote.read_bytes() == content.read_bytes()
