"""Whole or not at all, and nothing left beside."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgekd.errors import InputError
from edgekd.files import sha256_of, whole_file, whole_folder, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(file: Path, stop: type[BaseException]) -> None:
    file.write_bytes(b"half")
    raise stop


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_hash_of_a_file(tmp_path: Path, size: int) -> None:
    content = bytes(size)
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_write_makes_parents_and_replaces(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "f.txt"
    write_whole(file, "grün\n")
    assert file.read_bytes() == "grün\n".encode()
    write_whole(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff"
    assert names(file.parent) == ["f.txt"]


def test_place_is_untouched_until_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    with whole_file(file) as beside:
        beside.write_bytes(b"new")
        assert beside.parent == tmp_path
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("there", [True, False])
def test_interrupted_file(tmp_path: Path, stop: type[BaseException], there: bool) -> None:
    file = tmp_path / "f"
    if there:
        file.write_bytes(b"old")
    with pytest.raises(stop), whole_file(file) as beside:
        write_half(beside, stop)
    assert names(tmp_path) == (["f"] if there else [])
    assert not there or file.read_bytes() == b"old"


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("there", [True, False])
def test_interrupted_folder(tmp_path: Path, stop: type[BaseException], there: bool) -> None:
    folder = tmp_path / "d"
    if there:
        folder.mkdir()
        (folder / "old").write_bytes(b"old")
    with pytest.raises(stop), whole_folder(folder) as beside:
        write_half(beside / "half", stop)
    assert names(tmp_path) == (["d"] if there else [])
    assert not there or names(folder) == ["old"]


def test_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with whole_folder(tmp_path / "a" / "d") as beside:
            assert names(beside) == []
            (beside / content).mkdir()
    assert names(tmp_path / "a" / "d") == ["two"]
    assert names(tmp_path / "a") == ["d"]


def test_old_folder_is_put_back_where_the_new_one_cannot_be(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    with pytest.raises(FileNotFoundError), whole_folder(folder) as beside:
        beside.rmdir()  # so that the last rename fails
    assert names(tmp_path) == ["d"]
    assert names(folder) == ["old"]


def test_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    for place in (tmp_path / "f" / "x", tmp_path / "f" / "y" / "x"):
        with pytest.raises(InputError, match="cannot make the folder"):
            write_whole(place, b"")
        with pytest.raises(InputError, match="cannot make the folder"), whole_folder(place):
            pass


def test_kind_of_what_is_there_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"mine")
    with pytest.raises(InputError, match="is a folder, not a file"):
        write_whole(tmp_path / "d", b"")
    with pytest.raises(InputError, match="is a file, not a folder"), whole_folder(tmp_path / "f"):
        pass
    assert names(tmp_path) == ["d", "f"]
    assert (tmp_path / "f").read_bytes() == b"mine"


KILLED_WHILE_WRITING = """
import os, sys
from pathlib import Path
from edgekd.files import whole_file, whole_folder
with {writer}(Path(sys.argv[1])) as beside:
    (beside / "half" if beside.is_dir() else beside).write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("writer", ["whole_file", "whole_folder"])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, writer: str) -> None:
    place = tmp_path / "bundle"
    script = KILLED_WHILE_WRITING.format(writer=writer)
    killed = subprocess.run([sys.executable, "-c", script, str(place)], check=False)
    assert killed.returncode == -9
    (left,) = names(tmp_path)
    assert left.startswith(".bundle.")
    other = tmp_path / f".bundle.{left.split('.')[2].split('-')[0]}-{os.getpid()}-0"
    other.write_bytes(b"of a process that still runs")
    write_whole(place, b"new")
    assert names(tmp_path) == sorted([other.name, "bundle"])


def test_folders_change_places_in_one_step(tmp_path: Path) -> None:
    """Whoever looks while a folder is replaced sees the old one or the new one."""
    place = tmp_path / "d"
    with whole_folder(place) as beside:
        (beside / "f").write_bytes(b"0")
    seen, stop = [], threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(place.is_dir())

    watcher = threading.Thread(target=look)
    watcher.start()
    for turn in range(200):
        with whole_folder(place) as beside:
            (beside / "f").write_bytes(str(turn).encode())
    stop.set()
    watcher.join()
    assert len(seen) > 50
    assert all(seen)
