"""Terminals, pipes, devices and open files are written to, not replaced."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekd.cli.place_checks import check_file_place
from edgekd.errors import InputError
from edgekd.files import atomic_write, write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_in_a_block(path: Path, content: bytes) -> None:
    with atomic_write(path) as beside:
        beside.write_bytes(content)


WRITERS = pytest.mark.parametrize("write", [write_atomically, write_in_a_block])


@WRITERS
def test_a_pipe_gets_the_bytes_and_stays(
    tmp_path: Path, write: Callable[[Path, bytes], None]
) -> None:
    pipe, content = tmp_path / "pipe", os.urandom(1 << 20)
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    check_file_place(tmp_path / "link")
    write(tmp_path / "link", content)
    reader.join()
    assert got == [content]
    assert names(tmp_path) == ["link", "pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def device(folder: Path, name: str) -> Path:
    """`/dev/null` or `/dev/full`; to root, who could replace the machine's own, a twin of it."""
    real = Path("/dev", name)
    if os.geteuid() != 0:
        return real
    os.mknod(folder / name, stat.S_IFCHR | 0o666, real.stat().st_rdev)
    return folder / name


@WRITERS
def test_a_device_stays(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    null, full = device(tmp_path, "null"), device(tmp_path, "full")
    check_file_place(null)
    write(null, b"nothing")
    with pytest.raises(OSError, match="No space left"):
        write(full, b"nothing")
    assert stat.S_ISCHR(null.stat().st_mode)
    assert stat.S_ISCHR(full.stat().st_mode)
    assert names(tmp_path) in ([], ["full", "null"])


TO_STDOUT = """
import sys
from pathlib import Path
from edgekd.cli.place_checks import check_file_place
from edgekd.files import atomic_write, write_atomically
print("before")
check_file_place(Path(sys.argv[1]))
write_atomically(Path(sys.argv[1]), "one\\n")
with atomic_write(Path(sys.argv[1])) as beside:
    beside.write_bytes(b"two\\n")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("kind", ["file", "pipe", "socket"])
def test_standard_output_by_its_name(tmp_path: Path, name: str, linked: bool, kind: str) -> None:
    """Written in turn with what is printed, be it a pipe, a socket or a file of the shell's.

    A link stands for `/dev/stdout`, which is one, and which a fault would replace.
    """
    (tmp_path / "stdout").symlink_to(name)
    command = [sys.executable, "-c", TO_STDOUT, str(tmp_path / "stdout") if linked else name]
    if kind == "pipe":
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    elif kind == "socket":
        here, there = socket.socketpair()
        with here, there:
            subprocess.run(command, stdout=there, check=True)
            said = here.recv(1 << 10)
    else:
        with (tmp_path / "out").open("wb") as out:
            subprocess.run(command, stdout=out, check=True)
        said = (tmp_path / "out").read_bytes()
        assert names(tmp_path) == ["out", "stdout"]
    assert (tmp_path / "stdout").is_symlink()
    assert said == b"before\none\ntwo\nafter\n"


def test_a_socket_is_no_place_for_a_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        for write in (check_file_place, lambda path: write_atomically(path, b"")):
            with pytest.raises(InputError, match="is a socket"):
                write(tmp_path / "s")
        assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)
