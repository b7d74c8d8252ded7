"""Results of commands, errors of a full disk, and paths for a shell."""

from __future__ import annotations

import subprocess

import pytest

from edgekd.bench.devices.transport import Finished, disk_full, quoted_path


def test_the_last_line_is_that_of_stderr_first() -> None:
    assert Finished(1, b"out\n", b"first\nlast \n").last_line == "last"
    assert Finished(1, b"one\ntwo\n", b"\n").last_line == "two"
    assert Finished(0, b"", b"").last_line == ""


def test_a_full_disk_is_recognised() -> None:
    full = Finished(1, b"", b"cat: write error: No space left on device\n")
    assert full.no_room == "cat: write error: No space left on device"
    assert Finished(1, b"", b"cat: not found\n").no_room == ""
    error = disk_full("ssh pi", full.no_room)
    assert "the disk of ssh pi is full" in error.message
    assert "--clean-device" in error.hint


@pytest.mark.parametrize(
    ("path", "expanded"),
    [("~", "/home/x"), ("~/a b", "/home/x/a b"), ("/a/$HOME", "/a/$HOME"), ("~y", "~y")],
)
def test_only_the_home_is_expanded(path: str, expanded: str) -> None:
    command = ["sh", "-c", f"printf %s {quoted_path(path)}"]
    done = subprocess.run(command, env={"HOME": "/home/x"}, capture_output=True, check=True)
    assert done.stdout.decode() == expanded
