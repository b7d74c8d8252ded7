"""Whole or not at all, and nothing left beside."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekd.cli.place_checks import check_file_place, check_folder_place
from edgekd.errors import InputError
from edgekd.files import (
    atomic_write,
    is_occupied,
    refuse_other_content,
    sha256_of,
    whole_folder,
    write_atomically,
)
from edgekd.user_folders import cache_folder


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
    write_atomically(file, "grün\n")
    assert file.read_bytes() == "grün\n".encode()
    write_atomically(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff"
    assert names(file.parent) == ["f.txt"]


def test_place_is_untouched_until_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    with atomic_write(file) as beside:
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
    with pytest.raises(stop), atomic_write(file) as beside:
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
            write_atomically(place, b"")
        with pytest.raises(InputError, match="cannot make the folder"), whole_folder(place):
            pass


def test_kind_of_what_is_there_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"mine")
    with pytest.raises(InputError, match="is a folder, not a file"):
        write_atomically(tmp_path / "d", b"")
    with pytest.raises(InputError, match="is a file, not a folder"), whole_folder(tmp_path / "f"):
        pass
    assert names(tmp_path) == ["d", "f"]
    assert (tmp_path / "f").read_bytes() == b"mine"


KILLED_WHILE_WRITING = """
import os, sys
from pathlib import Path
from edgekd.files import atomic_write, whole_folder
with {writer}(Path(sys.argv[1])) as beside:
    (beside / "half" if beside.is_dir() else beside).write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("writer", ["atomic_write", "whole_folder"])
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, writer: str) -> None:
    place = tmp_path / "bundle"
    script = KILLED_WHILE_WRITING.format(writer=writer)
    killed = subprocess.run([sys.executable, "-c", script, str(place)], check=False)
    assert killed.returncode == -9
    (left,) = names(tmp_path)
    assert left.startswith(".bundle.")
    other = tmp_path / f".bundle.{left.split('.')[2].split('-')[0]}-{os.getpid()}-0"
    other.write_bytes(b"of a process that still runs")
    write_atomically(place, b"new")
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


# ---- links, devices, pipes, and what stood there before ----


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("length", [1, 3])
def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path, there: bool, length: int) -> None:
    target = tmp_path / "far" / "target"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
    links = [tmp_path / f"link{n}" for n in range(length)]
    for link, to in zip(links, [*links[1:], Path("far/target")], strict=True):
        link.symlink_to(to)
    old = target.open("rb") if there else None
    write_atomically(links[0], b"new")
    assert all(link.is_symlink() for link in links)
    assert target.read_bytes() == b"new"
    if old:
        assert old.read() == b"old"  # replaced, not written over: a reader keeps what it opened
        old.close()
    assert names(target.parent) == ["target"]


def test_a_link_into_another_file_system(tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs /dev/shm as a file system of its own; mount a tmpfs there")
    with tempfile.TemporaryDirectory(dir=shared) as far:
        (tmp_path / "link").symlink_to(Path(far, "target"))
        write_atomically(tmp_path / "link", b"new")
        assert (tmp_path / "link").is_symlink()
        assert Path(far, "target").read_bytes() == b"new"
        assert names(Path(far)) == ["target"]


def test_a_link_to_a_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old").write_bytes(b"")
    (tmp_path / "link").symlink_to("real")
    with whole_folder(tmp_path / "link") as beside:
        (beside / "new").write_bytes(b"")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["new"]
    assert names(tmp_path) == ["link", "real"]


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for write in (lambda path: write_atomically(path, b""), check_file_place, check_folder_place):
        with pytest.raises(InputError, match="circle"):
            write(tmp_path / "a")
    assert names(tmp_path) == ["a", "b"]


def write_in_a_block(path: Path, content: bytes) -> None:
    with atomic_write(path) as beside:
        beside.write_bytes(content)


WRITERS = pytest.mark.parametrize("write", [write_atomically, write_in_a_block])


@WRITERS
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_keeps_its_mode(
    tmp_path: Path, write: Callable[[Path, bytes], None], mode: int
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    file.chmod(mode)
    write(file, b"new")
    assert (file.read_bytes(), mode_of(file)) == (b"new", mode)


def test_a_private_file_is_private_before_it_holds_anything(tmp_path: Path) -> None:
    for there in (False, True):
        with atomic_write(tmp_path / "f", mode=0o600) as beside:
            assert mode_of(beside) == 0o600, there
            beside.write_bytes(b"x")
        assert mode_of(tmp_path / "f") == 0o600
        (tmp_path / "f").chmod(0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write over another user's file")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    os.chown(file, 12345, 54321)
    write_atomically(file, b"new")
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


def test_the_longest_name(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 127):
        write_atomically(tmp_path / name, b"x")
        with whole_folder(tmp_path / name[:-1]) as beside:
            (beside / "f").write_bytes(b"x")
    assert len(names(tmp_path)) == 4
    with pytest.raises(InputError, match="too long"):
        check_file_place(tmp_path / ("n" * 256))


def test_a_cache_that_cannot_be_made_names_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"")
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "f" / "cache"))
    with pytest.raises(InputError) as caught:
        write_atomically(cache_folder() / "decoded" / "x", b"")
    assert "EDGEKD_CACHE" in caught.value.hint


def test_what_is_there_is_seen_through_links(tmp_path: Path) -> None:
    empty, file = tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.touch()
    (tmp_path / "link").symlink_to(tmp_path)
    occupied = [file, tmp_path, tmp_path / "link"]
    assert [is_occupied(path) for path in (empty, tmp_path / "missing", *occupied)] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_only_an_earlier_output_may_be_replaced(tmp_path: Path) -> None:
    refuse_other_content(tmp_path / "missing", "page", lambda folder: False)
    (tmp_path / "thesis.txt").touch()
    refuse_other_content(tmp_path, "page", lambda folder: (folder / "thesis.txt").is_file())
    with pytest.raises(InputError, match="is not empty, and holds no earlier page"):
        refuse_other_content(tmp_path, "page", lambda folder: False)
